namespace Microsoft.ML.Moe.Scoring;

/// <summary>The rows that are scored at once, their results, and a hold on the model that scores them, which disposing ends.</summary>
internal abstract class RowResults : IDisposable
{
    /// <summary>Whether there is no room for one more row; one row always has room.</summary>
    public abstract bool IsFull { get; }

    /// <summary>Forgets the rows, for others; results stay until those are scored.</summary>
    public abstract void Clear();

    /// <summary>Takes over what the model reads of the table's current row.</summary>
    public abstract void Read();

    /// <summary>Encodes and scores the rows that were read; their results take the place of the ones before.</summary>
    /// <exception cref="ObjectDisposedException">The hold has ended.</exception>
    public abstract void Score();

    /// <summary>Creates the getter of an added column.</summary>
    /// <param name="column">Index of the column after scoring.</param>
    /// <param name="current">Makes sure that the current row is scored, and tells its place among those that were scored at once.</param>
    public abstract Delegate CreateGetter(int column, Func<int> current);

    public abstract void Dispose();
}
