using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Studies.LanguageModels;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.GeneratorTuning;

/// <summary>Sentences and the names of their classes as prompts and answers, corrupted where that is asked for.</summary>
internal static class TuningRows
{
    /// <summary>Longest prompt, in tokens.</summary>
    private const int MaximumPromptTokens = 96;

    /// <summary>Rows to learn from: as many as asked for, in a random order by the seed; more than there are take all again.</summary>
    /// <param name="generator">Encodes them.</param>
    /// <param name="data">The sentences.</param>
    /// <param name="corruption">What is done to them first.</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="seed">Seed of order and corruption.</param>
    public static Example<EncodedText>[] Training(
        TextGenerator generator, DataSet data, RowCorruption corruption, int count, int seed)
    {
        var rows = Encode(generator, corruption.Apply(data.Train, seed));
        var random = new Random(seed);
        var drawn = new List<Example<EncodedText>>(count);
        while (drawn.Count < count)
        {
            random.Shuffle(rows);
            drawn.AddRange(rows.Take(count - drawn.Count));
        }

        return [.. drawn];
    }

    /// <summary>Test rows, evenly spread, as they are.</summary>
    /// <param name="data">The sentences.</param>
    /// <param name="most">How many at most.</param>
    public static Sentence[] Test(DataSet data, int most) => [.. EvenSample.Of(data.Test, most)];

    /// <summary>What a model reads of a sentence before it writes the class.</summary>
    public static EncodedText Prompt(TextGenerator generator, Sentence row) => generator.Encode(row.Text + " :", MaximumPromptTokens);

    /// <summary>Sentences with the names of their classes behind them.</summary>
    public static Example<EncodedText>[] Encode(TextGenerator generator, IReadOnlyList<Sentence> rows)
    {
        int? end = generator.Defaults.EndTokens is [var token, ..] ? token : null;
        return
        [
            .. rows.Select(row => new Example<EncodedText>(
                generator.WithAnswer(Prompt(generator, row), " " + WrittenClasses.TextOf(row.Label), end), 0f)),
        ];
    }
}

/// <summary>What is done to rows before they are learned from.</summary>
/// <param name="Name">Name in logs and tables.</param>
/// <param name="Text">What is done to sentences; null for nothing.</param>
/// <param name="WrongLabels">Share of the rows that get the label of another class.</param>
internal sealed record RowCorruption(string Name, TextCorruption? Text = null, double WrongLabels = 0)
{
    private const double Share = 0.2;

    public static RowCorruption None { get; } = new("clean");

    public static IReadOnlyList<RowCorruption> All { get; } =
    [
        None,
        new("20 % of the words replaced", new TextCorruption { ReplaceShare = Share }),
        new("20 % of the words dropped, 20 % swapped", new TextCorruption { DropShare = Share, SwapShare = Share }),
        new("20 % of the labels wrong", WrongLabels: Share),
    ];

    /// <summary>The rows, corrupted; the same seed gives the same rows.</summary>
    public IReadOnlyList<Sentence> Apply(IReadOnlyList<Sentence> rows, int seed)
    {
        var words = Text is null ? null : new TextCorrupter(Text with { Seed = seed }, () => rows.Select(row => row.Text.AsMemory()));
        var labels = new LabelCorrupter<string>(new LabelNoise { Share = WrongLabels, Seed = seed }, () => new Occurrences<string>(
            rows.CountBy(row => row.Label).ToDictionary(label => label.Key, label => (long)label.Value), StringComparer.Ordinal));
        return
        [
            .. rows.Index().Select(row => new Sentence(
                labels.Corrupt(row.Item.Label, row.Index, out _),
                words?.Corrupt(row.Item.Text.AsMemory(), row.Index, out _).ToString() ?? row.Item.Text)),
        ];
    }

    public override string ToString() => Name;
}
