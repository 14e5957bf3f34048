using Microsoft.ML.Data;
using Microsoft.ML.Moe.TextScoring;

namespace Microsoft.ML.Moe.TextPretraining;

/// <summary>An encoder bound to a table's columns: adds the text's vector.</summary>
internal sealed class BoundEncoder : BoundTextModel
{
    private readonly MoeTextEncoderTransformer _transformer;

    /// <summary>Adds the vector to a schema.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The text column is missing or not text.</exception>
    public BoundEncoder(MoeTextEncoderTransformer transformer, DataViewSchema input)
        : base(input, InputColumns.Texts(input, transformer.Columns.Input))
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
    public override RowResults CreateResults(bool[] active, int rows) => new EncoderResults(_transformer.Lease(), rows);
}
