using Microsoft.ML.TorchSharp;

namespace Microsoft.ML.Moe.Benchmarks.Peer;

/// <content>The part that needs the package.</content>
internal static partial class TextClassificationPeer
{
    static partial void Create(MLContext ml, string textColumn, ref IEstimator<ITransformer>? trainer) =>
        trainer = ml.MulticlassClassification.Trainers.TextClassification(sentence1ColumnName: textColumn);
}
