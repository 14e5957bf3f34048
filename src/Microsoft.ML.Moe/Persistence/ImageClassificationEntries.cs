using Microsoft.ML.Moe.ImageClassification;
using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The files of a saved image classifier: those of all classifiers.</summary>
internal static class ImageClassificationEntries
{
    /// <summary>Writes the files.</summary>
    public static void Write(ModelFolderWriter folder, MoeImageClassificationTransformer transformer, Classifier<ImagePixels> classifier) =>
        ClassifierEntries.Write(folder, transformer.Columns, classifier, transformer.Labels);

    /// <summary>Reads the files.</summary>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    public static MoeImageClassificationTransformer Read(ModelFolderReader folder) =>
        ClassifierEntries.Read<ImageClassificationColumns, ImagePixels, MoeImageClassificationTransformer>(
            folder, ImageClassifier.Load, (columns, classifier, labels) => new MoeImageClassificationTransformer(columns, classifier, labels));
}
