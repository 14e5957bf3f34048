using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Writes texts for rows of a table, as options say.</summary>
/// <param name="generator">Tokenizer and defaults.</param>
/// <param name="options">How; complete.</param>
/// <param name="batchSize">Prompts that are answered at the same time.</param>
internal sealed class RowWriter(TextGenerator generator, GenerationOptions options, int batchSize)
{
    /// <summary>How texts are written.</summary>
    public GenerationOptions Options => options;

    /// <summary>Prompts that are answered at the same time.</summary>
    public int BatchSize => batchSize;

    /// <summary>Writes.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">The rows.</param>
    /// <param name="withEntropies">Whether the routers' entropy is measured.</param>
    public IReadOnlyList<WrittenRow> Write(Model<EncodedText> model, IReadOnlyList<EncodedText> prompts, bool withEntropies) =>
        generator.Write(model, prompts, options, batchSize, withEntropies);

    /// <summary>Makes room for the results of rows.</summary>
    public RowResults.Factory<EncodedText> CreateResults =>
        (lease, read, rows, withEntropies) => new GeneratedResults(lease, read, rows, this, withEntropies);
}
