using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Training;

/// <summary>What chooses the best epoch of a training in place of the validation loss.</summary>
/// <param name="Name">Name of the metric, for people; tells one training from another too, where it is taken up after an interruption.</param>
public abstract record ValidationMetric(string Name)
{
    /// <summary>How the model writes what is measured.</summary>
    internal abstract GenerationOptions Writing { get; }

    /// <summary>Measures a model; larger is better.</summary>
    /// <param name="model">The model, amid its training.</param>
    /// <param name="validation">The validation rows.</param>
    internal abstract double ScoreOf(Model<EncodedText> model, IReadOnlyList<Example<EncodedText>> validation);

    /// <summary>Takes what decides the measure into the digest of a training.</summary>
    internal virtual void AddTo(TrainingDigest digest) => digest.AddJson(Name).AddJson(Writing);
}

/// <summary>
/// How good a model's answers are. After each evaluation the model writes to every validation row, and what it has written is measured.
/// </summary>
/// <param name="Name">Name of the metric, for people; tells one training from another too, where it is taken up after an interruption.</param>
/// <param name="Measure">
/// Measures answers: receives the tokens of the answer to each validation row, in their order, the end token included where there is one.
/// Larger is better.
/// </param>
public sealed record AnswerMetric(string Name, Func<IReadOnlyList<IReadOnlyList<int>>, double> Measure) : ValidationMetric(Name)
{
    /// <summary>How the model writes. What its files say of end tokens has to be in it. Default greedily, 256 tokens at most.</summary>
    public GenerationOptions Generation
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Generation));
    } = new();

    /// <summary>Rows that are answered at a time, within [1, 65536]. Default 32.</summary>
    public int BatchSize { get; init => field = OptionCheck.Range(value, 1, 65536, nameof(BatchSize)); } = 32;

    /// <inheritdoc/>
    internal override GenerationOptions Writing => Generation;

    /// <inheritdoc/>
    internal override double ScoreOf(Model<EncodedText> model, IReadOnlyList<Example<EncodedText>> validation)
    {
        int[][] prompts = [.. validation.Select(row => PromptOf(model, row.Input.Ids!))];
        var answers = new IReadOnlyList<int>[prompts.Length];
        var generator = new Generator(TextGenerator.View(model), Generation);
        // shorter prompts first, so that none waits for a longer one to be read
        foreach (var batch in Enumerable.Range(0, prompts.Length).OrderBy(row => prompts[row].Length).Chunk(BatchSize))
        {
            var written = generator.Generate([.. batch.Select(row => prompts[row])], place => batch[place]);
            foreach (var (place, row) in batch.Index())
                answers[row] = written[place][0].Tokens;
        }

        return Measure(answers);
    }

    private static int[] PromptOf(Model<EncodedText> model, TokenIds ids) => model.Head is DecoderHead ? ids.Ids : ids.Ids[..ids.FirstTarget];
}
