using Microsoft.ML.Data;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.TextPretraining;

/// <summary>Vectors of the rows that were encoded at once.</summary>
/// <param name="lease">The encoder; disposed with this.</param>
/// <param name="read">Reads the table's current row.</param>
/// <param name="rows">Most rows that are encoded at once.</param>
internal sealed class EncoderResults(ModelLease<PretrainedTextEncoder> lease, RowReader<EncodedText> read, int rows)
    : RowResults<EncodedText>(read, lease.Engine, rows)
{
    private readonly int _width = lease.Model.Width;
    private readonly float[] _vectors = new float[rows * lease.Model.Width];

    protected override void Score(IReadOnlyList<EncodedText> rows) => lease.Score(encoder => encoder.Embed(rows, _vectors));

    public override Delegate CreateGetter(int column, Func<int> current) => (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
        Getters.CopyTo(_vectors.AsSpan(current() * _width, _width), ref value));

    public override void Dispose() => lease.Dispose();
}
