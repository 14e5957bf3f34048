using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.TextClassification;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The files of a saved text classifier: those of all classifiers, and the tokenizer.</summary>
internal static class TextClassificationEntries
{
    /// <summary>Writes the files.</summary>
    public static void Write(ModelFolderWriter folder, MoeTextClassificationTransformer transformer, Classifier<EncodedText> classifier)
    {
        ClassifierEntries.Write(folder, transformer.Columns, classifier, transformer.Labels);
        if (transformer.Tokenizer is not null)
            TokenizerFile.Write(folder, transformer.Tokenizer);
    }

    /// <summary>Reads the files.</summary>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The tokenizer is not known in this process.</exception>
    public static MoeTextClassificationTransformer Read(ModelFolderReader folder)
    {
        var tokenizer = TokenizerFile.ReadOrNull(folder);
        return ClassifierEntries.Read<TextClassificationColumns, EncodedText, MoeTextClassificationTransformer>(
            folder,
            (config, weights, engine) => TextClassifier.Load(config, weights, engine, tokenizer),
            (columns, classifier, labels) => new MoeTextClassificationTransformer(columns, classifier, labels, tokenizer));
    }
}
