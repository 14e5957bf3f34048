using System.Text.Json.Serialization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Names of the columns that a trained regression model reads and writes.</summary>
/// <param name="Features">Vector of features.</param>
/// <param name="Score">Receives the number.</param>
/// <param name="Spread">Receives its standard deviation over the members; null for none.</param>
internal sealed record ValueColumns(
    string Features, string Score, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Spread = null);

/// <summary>A number, and where asked for the members' spread.</summary>
/// <param name="names">Names of the columns.</param>
internal sealed class ValueOutput(ValueColumns names) : OutputColumns
{
    /// <inheritdoc/>
    public override void AddTo(DataViewSchema.Builder builder, DataViewSchema input)
    {
        var score = ScoreAnnotations.Of(ScoreAnnotations.NextSetId(input), Annotation.Regression, Annotation.Score);
        builder.AddColumn(names.Score, NumberDataViewType.Single, score.ToAnnotations());
        if (names.Spread is { } spread)
            builder.AddColumn(spread, NumberDataViewType.Single);
    }

    // the added columns are in the order of the model's outputs
    /// <inheritdoc/>
    public override Delegate CreateGetter(int column, RowResults results, Func<int> current) =>
        (ValueGetter<float>)((ref float value) => value = results.OutputsOf(current())[column]);

    /// <summary>The columns that an estimator promises, before there is data.</summary>
    public static IReadOnlyList<SchemaShape.Column> Promise(ValueColumns names)
    {
        var score = ColumnShape.Scalar(names.Score, NumberDataViewType.Single, annotations: ScoreAnnotations.Promise());
        return names.Spread is { } spread ? [score, ColumnShape.Scalar(spread, NumberDataViewType.Single)] : [score];
    }
}
