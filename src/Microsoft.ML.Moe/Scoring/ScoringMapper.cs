using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Scores rows one at a time: what <c>PredictionEngine</c> uses.</summary>
internal sealed class ScoringMapper(BoundModel model) : IRowToRowMapper
{
    public DataViewSchema InputSchema => model.Input;

    public DataViewSchema OutputSchema => model.Output;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) =>
        model.Dependencies(model.Flags(dependingColumns));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Schema != model.Input)
            throw new ArgumentException("The row's schema is not the one that the mapper was made for.", nameof(input));
        return new ScoredRow(input, model, model.Flags(activeColumns));
    }
}
