using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.TextPretraining;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The files of a saved text encoder: column names, configuration, weights and tokenizer.</summary>
internal static class TextEncoderEntries
{
    /// <summary>Writes the files.</summary>
    public static void Write(ModelFolderWriter folder, MoeTextEncoderTransformer transformer, PretrainedTextEncoder encoder)
    {
        ModelEntries.Write(folder, transformer.Columns, encoder.Save);
        if (transformer.Tokenizer is not null)
            TokenizerFile.Write(folder, transformer.Tokenizer);
    }

    /// <summary>Reads the files.</summary>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The tokenizer is not known in this process.</exception>
    public static MoeTextEncoderTransformer Read(ModelFolderReader folder)
    {
        var columns = ModelEntries.ReadColumns<TextEncoderColumns>(folder);
        var tokenizer = TokenizerFile.ReadOrNull(folder);
        return ModelEntries.ReadModel(
            folder,
            (config, weights, engine) => PretrainedTextEncoder.Load(config, weights, engine, tokenizer),
            (encoder, engine) => new MoeTextEncoderTransformer(
                columns, new SharedModel<PretrainedTextEncoder>(encoder, engine), tokenizer));
    }
}
