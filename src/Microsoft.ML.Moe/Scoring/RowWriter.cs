using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Writes texts for rows of a table, as options say.</summary>
/// <param name="generator">Tokenizer and defaults.</param>
/// <param name="options">How; complete.</param>
/// <param name="batchSize">Prompts that are answered at the same time.</param>
/// <param name="window">Of a row that is read in several windows, which one's answer is the row's.</param>
internal sealed class RowWriter(
    TextGenerator generator, GenerationOptions options, int batchSize, WindowAnswer window = WindowAnswer.MostProbable)
{
    /// <summary>How texts are written.</summary>
    public GenerationOptions Options => options;

    /// <summary>Prompts that are answered at the same time.</summary>
    public int BatchSize => batchSize;

    /// <summary>Writes.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">The rows.</param>
    /// <param name="withEntropies">Whether the routers' entropy is measured.</param>
    /// <param name="nameOf">What errors call the prompt of a row.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    public IReadOnlyList<WrittenRow> Write(
        Model<EncodedText> model,
        IReadOnlyList<EncodedText> prompts,
        bool withEntropies,
        Func<int, string>? nameOf = null,
        CancellationToken stop = default)
    {
        if (prompts.All(prompt => prompt.FurtherWindows.Count == 0))
            return generator.Write(model, prompts, options, batchSize, withEntropies, nameOf, stop);
        EncodedText[] windows = [.. prompts.SelectMany(prompt => prompt.FurtherWindows.Prepend(prompt))];
        int[] rows = [.. prompts.Index().SelectMany(prompt => Enumerable.Repeat(prompt.Index, 1 + prompt.Item.FurtherWindows.Count))];
        var answers = generator.Write(
            model, windows, options, batchSize, withEntropies, nameOf is null ? null : window => nameOf(rows[window]), stop);
        var (written, first) = (new WrittenRow[prompts.Count], 0);
        for (var row = 0; row < written.Length; row++)
        {
            var own = answers.Skip(first).Take(1 + prompts[row].FurtherWindows.Count);
            written[row] = window == WindowAnswer.Last ? own.Last() : own.MaxBy(answer => answer.Answer.LogProbability)!;
            first += 1 + prompts[row].FurtherWindows.Count;
        }

        return written;
    }

    /// <summary>Makes room for the results of rows.</summary>
    public RowResults.Factory<EncodedText> CreateResults =>
        (lease, read, rows, withEntropies) => new GeneratedResults(lease, read, rows, this, withEntropies);
}
