using System.Text.Json.Serialization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Names of the columns that a trained binary classifier reads and writes, and where it divides.</summary>
/// <param name="Features">Vector of features.</param>
/// <param name="PredictedLabel">Receives whether the score is over the threshold.</param>
/// <param name="Probability">Receives the probability of true.</param>
/// <param name="Score">Receives the log-odds.</param>
/// <param name="Threshold">Log-odds over which the label is predicted as true.</param>
internal sealed record BinaryColumns(string Features, string PredictedLabel, string Probability, string Score, float Threshold = 0f)
{
    /// <summary>Names of the added columns, in their order.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> Added => [PredictedLabel, Score, Probability];
}

/// <summary>The predicted label, the log-odds and the probability.</summary>
/// <param name="names">Names of the columns.</param>
internal sealed class BinaryOutput(BinaryColumns names) : OutputColumns
{
    private const int PredictedLabel = 0;
    private const int Score = 1;

    /// <inheritdoc/>
    public override void AddTo(DataViewSchema.Builder builder, DataViewSchema input)
    {
        var setId = ScoreAnnotations.NextSetId(input);
        builder.AddColumn(names.PredictedLabel, BooleanDataViewType.Instance, Annotations(Annotation.PredictedLabel).ToAnnotations());
        builder.AddColumn(names.Score, NumberDataViewType.Single, Annotations(Annotation.Score).ToAnnotations());
        var probability = Annotations(Annotation.Probability);
        probability.Add(Annotation.IsNormalized, BooleanDataViewType.Instance, (ref bool value) => value = true);
        builder.AddColumn(names.Probability, NumberDataViewType.Single, probability.ToAnnotations());

        DataViewSchema.Annotations.Builder Annotations(string kind) => ScoreAnnotations.Of(setId, Annotation.BinaryClassification, kind);
    }

    /// <inheritdoc/>
    public override Delegate CreateGetter(int column, RowResults results, Func<int> current) => column switch
    {
        PredictedLabel => (ValueGetter<bool>)((ref bool value) => value = results.OutputsOf(current())[0] > names.Threshold),
        Score => (ValueGetter<float>)((ref float value) => value = results.OutputsOf(current())[0]),
        _ => (ValueGetter<float>)((ref float value) => value = (float)(1 / (1 + Math.Exp(-(double)results.OutputsOf(current())[0])))),
    };

    /// <summary>The columns that an estimator promises, before there is data.</summary>
    public static IReadOnlyList<SchemaShape.Column> Promise(BinaryColumns names)
    {
        var common = ScoreAnnotations.Promise();
        return
        [
            ColumnShape.Scalar(names.PredictedLabel, BooleanDataViewType.Instance, annotations: common),
            ColumnShape.Scalar(names.Score, NumberDataViewType.Single, annotations: common),
            ColumnShape.Scalar(
                names.Probability,
                NumberDataViewType.Single,
                annotations: [.. common, ColumnShape.Scalar(Annotation.IsNormalized, BooleanDataViewType.Instance)]),
        ];
    }
}
