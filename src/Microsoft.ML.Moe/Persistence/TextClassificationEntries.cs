using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.TextClassification;
using Microsoft.ML.Moe.TextScoring;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The files of a saved text classifier: column names, configuration, weights, label values and tokenizer.</summary>
internal static class TextClassificationEntries
{
    /// <summary>Writes the files.</summary>
    public static void Write(ModelFolderWriter folder, MoeTextClassificationTransformer transformer, TextClassifier classifier)
    {
        ModelEntries.Write(folder, transformer.Columns, classifier.Save);
        if (transformer.Labels is not null)
            LabelValuesFile.Write(folder, transformer.Labels);
        if (transformer.Tokenizer is not null)
            TokenizerFile.Write(folder, transformer.Tokenizer);
    }

    /// <summary>Reads the files.</summary>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The tokenizer is not known in this process.</exception>
    public static MoeTextClassificationTransformer Read(ModelFolderReader folder)
    {
        var columns = ModelEntries.ReadColumns<TextClassificationColumns>(folder);
        var labels = LabelValuesFile.ReadOrNull(folder);
        var tokenizer = TokenizerFile.ReadOrNull(folder);
        return ModelEntries.ReadModel(
            folder,
            (config, weights, engine) => TextClassifier.Load(config, weights, engine, tokenizer),
            (classifier, engine) =>
            {
                if (labels is not null && labels.Texts.Count != classifier.ClassCount)
                    throw new InvalidDataException(
                        $"The model file is damaged: {labels.Texts.Count} label values for {classifier.ClassCount} classes.");
                CheckUncertainty(columns, classifier);
                return new MoeTextClassificationTransformer(
                    columns, new SharedModel<TextClassifier>(classifier, engine), labels, tokenizer);
            });
    }

    private static void CheckUncertainty(TextClassificationColumns columns, TextClassifier classifier)
    {
        if (columns.Uncertainty is { } uncertainty && classifier.Experts == 0)
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
