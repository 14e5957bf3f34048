using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Classification;

/// <summary>What the options of all trainers of classifiers have in common.</summary>
internal interface IClassificationOptions : IClassifierOptions
{
    /// <summary>Column of the label, a key of any type. Default <c>Label</c>.</summary>
    string LabelColumnName { get; }

    /// <summary>Column that receives the probabilities of the labels. Default <c>Score</c>.</summary>
    string ScoreColumnName { get; }

    /// <summary>Column that receives the most probable label. Default <c>PredictedLabel</c>.</summary>
    string PredictedLabelColumnName { get; }

    /// <summary>Column that receives mean and largest router entropy of a row; null for none.</summary>
    string? RouterEntropyColumnName { get; }

    /// <summary>Column that receives whether the routers are unsure about a row; null for none.</summary>
    string? UncertainColumnName { get; }

    /// <summary>From which mean router entropy a row counts as uncertain, as a share of the largest possible.</summary>
    double UncertainThreshold { get; }

    /// <summary>Column of the rows' weights in the loss; null weights all rows alike.</summary>
    string? WeightColumnName { get; }

    /// <summary>Rows by which the best epoch is chosen; null draws <see cref="ValidationShare"/> of the training rows.</summary>
    IDataView? ValidationSet { get; }

    /// <summary>See <see cref="EncoderOptions.ValidationShare"/>.</summary>
    float ValidationShare { get; }

    /// <summary>See <see cref="EncoderOptions.EarlyStoppingPatience"/>.</summary>
    int? EarlyStoppingPatience { get; }

    /// <summary>See <see cref="EncoderOptions.Layers"/>.</summary>
    int Layers { get; }

    /// <summary>See <see cref="EncoderOptions.MoeEvery"/>.</summary>
    int MoeEvery { get; }

    /// <summary>See <see cref="EncoderOptions.Threads"/>.</summary>
    int? Threads { get; }

    /// <summary>What the model is trained on.</summary>
    MoeDevice Device { get; }

    /// <summary>Precision of matrix products while training by TorchSharp.</summary>
    TrainingPrecision Precision { get; }

    /// <summary>Is called after each epoch, on the training thread.</summary>
    Action<EpochReport>? EpochCompleted { get; }

    /// <summary>Ends training after the current step.</summary>
    CancellationToken StopToken { get; }
}
