using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>What the trainers have in common whose model writes its text into a column.</summary>
public abstract class MoeTextGeneratorOptions : MoeGeneratorOptions
{
    private protected MoeTextGeneratorOptions()
    {
    }

    /// <summary>Column that receives what the model writes. Default <c>Prediction</c>.</summary>
    public string OutputColumnName { get; set; } = "Prediction";

    /// <summary>
    /// Column that receives the sum of the natural logarithms of the probabilities of an answer's tokens, as Single; null, the default, for
    /// none.
    /// </summary>
    public string? LogProbabilityColumnName { get; set; }

    /// <summary>
    /// Column that receives the number of an answer's tokens, its end token counted, as Int32; null, the default, for none.
    /// </summary>
    public string? TokenCountColumnName { get; set; }

    /// <summary>
    /// Column that receives the mean router entropy over the tokens of prompt and answer and all MoE layers, in nats, as Single; null, the
    /// default, for none. Only for a mixture.
    /// </summary>
    public string? RouterEntropyColumnName { get; set; }

    /// <summary>
    /// How answers are found, how long they may be and what ends them. null, the default, takes what the model's
    /// <c>generation_config.json</c> says, with as many tokens at most as a target may have. End tokens are the model's own where none are
    /// given.
    /// </summary>
    public GenerationOptions? Generation { get; set; }

    /// <summary>Names of the columns of a model of these options; the prompt's are not among them.</summary>
    internal GenerationColumns Columns => new(
        Input: null, OutputColumnName, LogProbabilityColumnName, TokenCountColumnName, RouterEntropyColumnName);

    /// <summary>Adds the columns that are written.</summary>
    private protected ColumnNames WithOutput(ColumnNames names) => names
        .Write(OutputColumnName, nameof(OutputColumnName))
        .WriteIfNamed(LogProbabilityColumnName, nameof(LogProbabilityColumnName))
        .WriteIfNamed(TokenCountColumnName, nameof(TokenCountColumnName))
        .WriteIfNamed(RouterEntropyColumnName, nameof(RouterEntropyColumnName));

    private protected override IReadOnlyList<TextMetric> Metrics =>
        [TextMetric.Loss, TextMetric.ExactMatch, TextMetric.F1, TextMetric.RougeL, TextMetric.RougeLsum];
}
