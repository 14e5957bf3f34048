using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.TextClassification;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The files of a saved text classifier: column names, configuration, weights, label values and tokenizer.</summary>
internal static class TextClassificationEntries
{
    private const string Columns = "Columns.json";
    private const string Config = "Config.json";
    private const string Weights = "Weights.safetensors";
    private const int MaximumJsonLength = 1 << 20;
    private const long MaximumWeightsLength = 1L << 40;

    /// <summary>Writes the files.</summary>
    public static void Write(ModelFolderWriter folder, MoeTextClassificationTransformer transformer, TextClassifier classifier)
    {
        JsonEntry.Write(folder, Columns, transformer.Columns);
        folder.AddEntry(Config, config => folder.AddEntry(Weights, weights => classifier.Save(config, weights)));
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
        var columns = JsonEntry.Read<TextClassificationColumns>(folder, Columns, MaximumJsonLength);
        var labels = LabelValuesFile.ReadOrNull(folder);
        var tokenizer = TokenizerFile.ReadOrNull(folder);
        var engine = Engines.Create(threads: null);
        try
        {
            var classifier = folder.Read(Config, MaximumJsonLength, config =>
                folder.Read(Weights, MaximumWeightsLength, weights => TextClassifier.Load(config, weights, engine, tokenizer)));
            if (labels is not null && labels.Texts.Count != classifier.ClassCount)
                throw new InvalidDataException(
                    $"The model file is damaged: {labels.Texts.Count} label values for {classifier.ClassCount} classes.");
            return new MoeTextClassificationTransformer(columns, new SharedClassifier(classifier, engine), labels, tokenizer);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }
}
