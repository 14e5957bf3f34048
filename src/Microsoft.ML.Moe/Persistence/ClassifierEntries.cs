using Microsoft.ML.Moe.Classification;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The files that all saved classifiers have: column names, configuration, weights and label values.</summary>
internal static class ClassifierEntries
{
    /// <summary>Writes the files.</summary>
    public static void Write<TColumns, TRow>(
        ModelFolderWriter folder, TColumns columns, Classifier<TRow> classifier, LabelValues? labels)
    {
        ModelEntries.Write(folder, columns, classifier.Save);
        if (labels is not null)
            LabelValuesFile.Write(folder, labels);
    }

    /// <summary>Reads the files.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="load">Loads the classifier from configuration and weights.</param>
    /// <param name="create">Makes the transformer.</param>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    public static TTransformer Read<TColumns, TRow, TTransformer>(
        ModelFolderReader folder,
        Func<Stream, Stream, Engine, Classifier<TRow>> load,
        Func<TColumns, SharedModel<Classifier<TRow>>, LabelValues?, TTransformer> create)
        where TColumns : ClassificationColumns
    {
        var columns = ModelEntries.ReadColumns<TColumns>(folder);
        var labels = LabelValuesFile.ReadOrNull(folder);
        return ModelEntries.ReadModel(folder, load, (classifier, engine) =>
        {
            if (labels is not null && labels.Texts.Count != classifier.ClassCount)
                throw new InvalidDataException(
                    $"The model file is damaged: {labels.Texts.Count} label values for {classifier.ClassCount} classes.");
            CheckUncertainty(columns, classifier.Experts);
            return create(columns, new SharedModel<Classifier<TRow>>(classifier, engine), labels);
        });
    }

    private static void CheckUncertainty(ClassificationColumns columns, int experts)
    {
        if (columns.Uncertainty is { } uncertainty && experts == 0)
            throw new InvalidDataException($"{ModelEntries.Columns} asks for {uncertainty}, but the model has no MoE layers: the file is damaged.");
        try
        {
            columns.CheckUncertainty(
                nameof(UncertaintyColumns.Entropy), nameof(UncertaintyColumns.Uncertain), nameof(UncertaintyColumns.Threshold));
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{ModelEntries.Columns} holds an impossible value: {e.Message}", e);
        }
    }
}
