using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.TextScoring;

/// <summary>The results of the rows that were scored at once, and a hold on the model that scores them, which disposing ends.</summary>
internal abstract class RowResults : IDisposable
{
    /// <summary>Encodes texts for <see cref="Score"/>.</summary>
    public abstract TextInput Input { get; }

    /// <summary>Scores rows; their results take the place of the ones before.</summary>
    /// <exception cref="ObjectDisposedException">The hold has ended.</exception>
    public abstract void Score(IReadOnlyList<EncodedText> rows);

    /// <summary>Creates the getter of an added column.</summary>
    /// <param name="column">Index of the column after scoring.</param>
    /// <param name="current">Makes sure that the current row is scored, and tells its place among those that were scored at once.</param>
    public abstract Delegate CreateGetter(int column, Func<int> current);

    public abstract void Dispose();
}
