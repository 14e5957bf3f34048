using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Input, architecture and training of a <see cref="TextClassifier"/>. The defaults are chosen on validation data to do well on
/// tables from a few hundred to a hundred thousand rows; every one of them can stay as it is.
/// </summary>
public class TextClassifierOptions : TextEncoderOptions, IClassifierOptions
{
    /// <summary>
    /// Whether a linear model over word and word-pair features learns beside the encoder and adds to its scores. It carries small
    /// and many-class tables. Default true.
    /// </summary>
    public bool WideBranch { get; set; } = true;

    /// <summary>Peak learning rate of the wide branch, over 0. Default 3e-2.</summary>
    public float WideLearningRate { get; set; } = 3e-2f;

    /// <summary>Probability that a token is hidden from the encoder while training, within [0, 1). Default 0.1.</summary>
    public float TokenMaskRate { get; set; } = 0.1f;

    /// <summary>Probability that a feature is hidden from the wide branch while training, within [0, 1). Default 0.3.</summary>
    public float WideDropRate { get; set; } = 0.3f;

    /// <inheritdoc/>
    public float LabelSmoothing { get; set; } = 0.1f;

    /// <inheritdoc/>
    public ClassWeighting ClassWeighting { get; set; } = ClassWeighting.None;

    /// <inheritdoc/>
    public GlobalWorkspaceSettings? GlobalWorkspace { get; set; }

    /// <summary>
    /// Whether the routers stay as they are, as in the fine-tuning of the GW-MoE paper. Makes sense only for a model that does not
    /// start from chance. Default false.
    /// </summary>
    public bool FreezeRouter { get; set; }

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        OptionCheck.Positive(WideLearningRate, nameof(WideLearningRate));
        OptionCheck.Rate(TokenMaskRate, nameof(TokenMaskRate));
        OptionCheck.Rate(WideDropRate, nameof(WideDropRate));
        OptionCheck.Classifier(this, Experts);
    }
}
