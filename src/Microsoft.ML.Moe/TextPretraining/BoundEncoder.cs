using Microsoft.ML.Data;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.TextPretraining;

/// <summary>An encoder bound to a table's columns: adds the text's vector.</summary>
internal sealed class BoundEncoder : BoundModel
{
    private readonly MoeTextEncoderTransformer _transformer;

    /// <summary>Adds the vector to a schema.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The text column is missing or not text.</exception>
    public BoundEncoder(MoeTextEncoderTransformer transformer, DataViewSchema input)
        : base(input, transformer.Rows.Find(input))
    {
        _transformer = transformer;
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input.Select(c => new DataViewSchema.DetachedColumn(c)));
        builder.AddColumn(transformer.Columns.Output, new VectorDataViewType(NumberDataViewType.Single, transformer.Width));
        Output = builder.ToSchema();
    }

    /// <inheritdoc/>
    public override DataViewSchema Output { get; }

    /// <inheritdoc/>
    public override RowResults CreateResults(DataViewRow row, bool[] active, int rows)
    {
        var read = _transformer.Rows.CreateReader(row, Scored);
        return new EncoderResults(_transformer.Lease(), read, rows);
    }
}
