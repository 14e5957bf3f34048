using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>Scores rows one at a time: what <c>PredictionEngine</c> uses.</summary>
internal sealed class ScoringMapper(MoeTextClassificationTransformer transformer, ScoredSchema schema) : IRowToRowMapper
{
    public DataViewSchema InputSchema => schema.Input;

    public DataViewSchema OutputSchema => schema.Output;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        schema.Dependencies(schema.Flags(dependingColumns));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Schema != schema.Input)
            throw new ArgumentException("The row's schema is not the one that the mapper was made for.", nameof(input));
        var active = schema.Flags(activeColumns);
        return new ScoredRow(input, schema, active, schema.NeedsScoring(active) ? transformer.Lease() : null);
    }
}
