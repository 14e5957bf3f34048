using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>The rows that are scored at once, their results, and a hold on the model that scores them, which disposing ends.</summary>
internal abstract class RowResults : IDisposable
{
    /// <summary>Makes room for results.</summary>
    /// <typeparam name="TRow">A row as the model reads it.</typeparam>
    /// <param name="lease">The model; disposed with the results.</param>
    /// <param name="read">Reads the table's current row.</param>
    /// <param name="rows">Most rows that are scored at once.</param>
    /// <param name="withEntropies">Whether the routers' entropy is measured.</param>
    public delegate RowResults Factory<TRow>(ModelLease<Model<TRow>> lease, RowReader<TRow> read, int rows, bool withEntropies);

    /// <summary>Whether there is no room for one more row; one row always has room.</summary>
    public abstract bool IsFull { get; }

    /// <summary>Forgets the rows, for others; results stay until those are scored.</summary>
    public abstract void Clear();

    /// <summary>Takes over what the model reads of the table's current row.</summary>
    public abstract void Read();

    /// <summary>Encodes and scores the rows that were read; their results take the place of the ones before.</summary>
    /// <exception cref="ObjectDisposedException">The hold has ended.</exception>
    public abstract void Score();

    /// <summary>Throws where a row, of those that were scored at once, cannot be used and is not to be passed over.</summary>
    /// <param name="row">Place of the row among those that were scored at once.</param>
    /// <exception cref="InvalidOperationException">It cannot.</exception>
    public virtual void Check(int row)
    {
    }

    /// <summary>What the model gave for a row; not a number for one that is passed over.</summary>
    /// <param name="row">Place of the row among those that were scored at once.</param>
    public abstract ReadOnlySpan<float> OutputsOf(int row);

    /// <summary>How unsure the routers are about a row; only where that is measured.</summary>
    /// <param name="row">Place of the row among those that were scored at once.</param>
    public abstract RowEntropy EntropyOf(int row);

    public abstract void Dispose();
}

/// <summary>Results of rows of one kind.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="lease">The model; disposed with this.</param>
/// <param name="read">Reads the table's current row.</param>
/// <param name="rows">Most rows that are scored at once.</param>
/// <param name="withEntropies">Whether the routers' entropy is measured.</param>
internal sealed class RowResults<TRow>(ModelLease<Model<TRow>> lease, RowReader<TRow> read, int rows, bool withEntropies) : RowResults
{
    private readonly RowBatch<TRow> _batch = new(lease.Engine, rows);
    private readonly int _width = lease.Model.Outputs;
    private readonly float[] _outputs = new float[rows * lease.Model.Outputs];
    private readonly RowEntropy[] _entropies = withEntropies ? new RowEntropy[rows] : [];

    public override bool IsFull => _batch.IsFull;

    public override void Clear() => _batch.Clear();

    public override void Read() => _batch.Read(read);

    public override void Score()
    {
        var encoded = _batch.EncodeAll();
        int[] good = [.. Enumerable.Range(0, encoded.Count).Where(row => _batch.BadRowAt(row) is null)];
        IReadOnlyList<TRow> rowsToScore = good.Length == encoded.Count ? encoded : [.. good.Select(row => encoded[row])];
        lease.Score(model =>
        {
            if (withEntropies)
                model.Score(rowsToScore, _outputs, _entropies);
            else
                model.Score(rowsToScore, _outputs);
        });
        if (good.Length < encoded.Count)
            MoveApart(good, encoded.Count);
    }

    public override void Check(int row)
    {
        if (_batch.BadRowAt(row) is { IsSkipped: false } bad)
            throw bad.ToError();
    }

    /// <summary>Moves results, which stand one after the other, to the rows that they are of, from the last on.</summary>
    private void MoveApart(int[] good, int count)
    {
        for (int row = count - 1, next = good.Length - 1; row >= 0; row--)
        {
            var to = _outputs.AsSpan(row * _width, _width);
            if (next >= 0 && good[next] == row)
            {
                _outputs.AsSpan(next * _width, _width).CopyTo(to);
                if (withEntropies)
                    _entropies[row] = _entropies[next];
                next--;
                continue;
            }

            to.Fill(float.NaN);
            if (withEntropies)
                _entropies[row] = new RowEntropy(float.NaN, float.NaN);
        }
    }

    public override ReadOnlySpan<float> OutputsOf(int row) => _outputs.AsSpan(row * _width, _width);

    public override RowEntropy EntropyOf(int row) => _entropies[row];

    public override void Dispose() => lease.Dispose();
}
