using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.TorchSharp;

namespace Microsoft.ML.Moe.Benchmarks.Peer;

/// <summary>ML.NET's own TextClassification, which fine-tunes a pretrained NAS-BERT.</summary>
internal static class TextClassificationPeer
{
    public const string Name = "TextClassification";

    // Where ML.NET looks before it downloads https://aka.ms/mlnet-resources/models/NasBert2000000.tsm (TorchSharpBaseTrainer.GetModelPath;
    // the folder of MICROSOFTML_RESOURCE_PATH has no say, since the path below is a full one).
    private const string WeightsFolder = "mlnet";
    private const string WeightsFile = "NasBert2000000.tsm";

    /// <summary>The trainer with default options.</summary>
    /// <param name="ml">Its context.</param>
    /// <param name="weights">The pretrained weights; null where ML.NET shall download them.</param>
    /// <param name="folder">Where given weights are copied to, for the trainer to find them: the context's folder from now on.</param>
    public static IEstimator<ITransformer> Create(MLContext ml, FileInfo? weights, DirectoryInfo folder)
    {
        if (weights is not null)
        {
            weights.CopyTo(Path.Combine(folder.CreateSubdirectory(WeightsFolder).FullName, WeightsFile));
            ml.TempFilePath = folder.FullName;
        }

        return ml.MulticlassClassification.Trainers.TextClassification(sentence1ColumnName: nameof(TextRow.Text));
    }
}
