namespace Microsoft.ML.Moe.Scoring;

/// <summary>The rows that are scored at once, their results, and a hold on the model that scores them, which disposing ends.</summary>
internal abstract class RowResults : IDisposable
{
    /// <summary>Takes over what the model reads of the table's current row.</summary>
    /// <param name="row">Place among the rows that are scored at once; rows are read in order, from 0.</param>
    /// <returns>Bytes that it takes in the table, about.</returns>
    public abstract long Read(int row);

    /// <summary>Scores the rows that were read; their results take the place of the ones before.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <exception cref="ObjectDisposedException">The hold has ended.</exception>
    public abstract void Score(int rows);

    /// <summary>Creates the getter of an added column.</summary>
    /// <param name="column">Index of the column after scoring.</param>
    /// <param name="current">Makes sure that the current row is scored, and tells its place among those that were scored at once.</param>
    public abstract Delegate CreateGetter(int column, Func<int> current);

    public abstract void Dispose();
}
