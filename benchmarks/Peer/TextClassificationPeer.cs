using Microsoft.ML.Moe.Benchmarks.Cases;

namespace Microsoft.ML.Moe.Benchmarks.Peer;

/// <summary>
/// ML.NET's own TextClassification, which fine-tunes a pretrained NAS-BERT: in builds with -p:TextClassificationPeer=true, which adds the
/// package Microsoft.ML.TorchSharp and the part of this class that calls it.
/// </summary>
internal static partial class TextClassificationPeer
{
    public const string Name = "TextClassification";

    /// <summary>Why there is none in builds without it.</summary>
    public const string Missing = "this build lacks the package Microsoft.ML.TorchSharp; build with -p:TextClassificationPeer=true.";

    // Where ML.NET looks before it downloads https://aka.ms/mlnet-resources/models/NasBert2000000.tsm (TorchSharpBaseTrainer.GetModelPath;
    // the folder of MICROSOFTML_RESOURCE_PATH has no say, since the path below is a full one).
    private const string WeightsFolder = "mlnet";
    private const string WeightsFile = "NasBert2000000.tsm";

    /// <summary>The trainer with default options; null in builds without it.</summary>
    /// <param name="ml">Its context.</param>
    /// <param name="weights">The pretrained weights; null where ML.NET shall download them.</param>
    /// <param name="folder">Where given weights are copied to, for the trainer to find them: the context's folder from now on.</param>
    public static IEstimator<ITransformer>? Create(MLContext ml, FileInfo? weights, DirectoryInfo folder)
    {
        if (weights is not null)
        {
            weights.CopyTo(Path.Combine(folder.CreateSubdirectory(WeightsFolder).FullName, WeightsFile));
            ml.TempFilePath = folder.FullName;
        }

        IEstimator<ITransformer>? trainer = null;
        Create(ml, nameof(TextRow.Text), ref trainer);
        return trainer;
    }

    static partial void Create(MLContext ml, string textColumn, ref IEstimator<ITransformer>? trainer);
}
