using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Rows;

/// <summary>The image of a row cannot be used.</summary>
/// <param name="row">Number of the row, from 1; null where there is only one.</param>
/// <param name="column">Column of the image.</param>
/// <param name="reason">Why.</param>
/// <param name="isSkipped">Whether the row is to be passed over.</param>
/// <param name="cause">What was thrown.</param>
internal sealed class BadRowException(long? row, string column, string reason, bool isSkipped, Exception cause)
    : InvalidOperationException($"The image{(row is { } number ? $" of row {number}" : "")} in column '{column}' cannot be used: {reason}.", cause)
{
    /// <summary>Number of the row, from 1; 0 where there is only one.</summary>
    public long Row => row ?? 0;

    /// <summary>Column of the image.</summary>
    public string Column => column;

    /// <summary>Why.</summary>
    public string Reason => reason;

    /// <summary>Whether the row is to be passed over.</summary>
    public bool IsSkipped => isSkipped;

    /// <summary>As callers see it.</summary>
    public InvalidOperationException ToError() => new(Message, InnerException);
}

/// <summary>The rows of a table that cannot be used.</summary>
internal sealed class BadRows
{
    private const int Listed = 10;
    private readonly List<BadRowException> _first = [];

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a row; those of a table in their order.</summary>
    public void Add(BadRowException row)
    {
        Count++;
        if (_first.Count < Listed)
            _first.Add(row);
    }

    /// <summary>Tells of them, if there are any.</summary>
    /// <param name="table">The table that they are from.</param>
    /// <param name="rows">Rows that can be used.</param>
    /// <param name="channel">Is told of rows that are passed over; null where nobody is.</param>
    /// <exception cref="InvalidOperationException">They are not to be passed over, or no rows are left.</exception>
    public void Tell(TableName table, int rows, IChannel? channel)
    {
        if (Count == 0)
            return;
        var isSkipped = _first[0].IsSkipped;
        if (Count == 1 && !isSkipped)
            throw new InvalidOperationException($"{_first[0].Message} {Advice}", _first[0].InnerException);
        var listed = string.Join("; ", _first.Select(row => $"row {row.Row}: {row.Reason}"));
        var message = $"{Count} of {Count + rows} images in column '{_first[0].Column}' of the {table.Text} cannot be used. "
            + $"{(Count > Listed ? $"The first {Listed}" : "They are")}: {listed}.";
        if (!isSkipped)
            throw new InvalidOperationException($"{message} {Advice}", _first[0].InnerException);
        if (rows == 0)
            throw new InvalidOperationException($"{message} None is left.", _first[0].InnerException);
        channel?.Warning(MessageSensitivity.UserData | MessageSensitivity.Schema, $"{message} They are left out.");
    }

    private static string Advice =>
        $"{nameof(MoeImageClassificationTrainer.Options.BadImages)} = {nameof(BadImageHandling)}.{nameof(BadImageHandling.Skip)} leaves such rows out.";
}
