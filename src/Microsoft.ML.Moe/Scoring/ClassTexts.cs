using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Names of the columns of a model that tells classes by their texts.</summary>
/// <param name="PredictedLabel">Receives the most probable label.</param>
/// <param name="Score">Receives the labels' probabilities.</param>
internal sealed record ClassTextColumns(string PredictedLabel, string Score) : ClassificationColumns(PredictedLabel, Score);

/// <summary>What a model writes for classes; kept in its files.</summary>
/// <param name="Texts">The texts, C of them.</param>
/// <param name="Reading">How the class is told.</param>
/// <param name="MaximumTokens">Most tokens of a text, the end token counted.</param>
/// <param name="EndToken">What texts end with; null where the tokenizer adds it.</param>
internal sealed record ClassTextSettings(IReadOnlyList<string> Texts, ClassReading Reading, int MaximumTokens, int? EndToken);

/// <summary>Tells classes by their texts.</summary>
internal sealed class ClassTextScorer
{
    private readonly TextGenerator _generator;
    private readonly int[][] _ids;
    private readonly Dictionary<string, int> _classOf;

    private ClassTextScorer(TextGenerator generator, ClassTextSettings settings, GenerationOptions generation, int batchSize, int[][] ids)
    {
        (_generator, Settings, Generation, BatchSize, _ids) = (generator, settings, generation, batchSize, ids);
        // as they come back from the tokenizer
        _classOf = ids.Index()
            .Select(c => (Text: generator.TextOf(c.Item).Trim(), c.Index))
            .DistinctBy(c => c.Text)
            .ToDictionary(c => c.Text, c => c.Index);
    }

    /// <summary>What is written for classes.</summary>
    public ClassTextSettings Settings { get; }

    /// <summary>How the model writes where the class is what it has written.</summary>
    public GenerationOptions Generation { get; }

    /// <summary>Rows that are scored at the same time.</summary>
    public int BatchSize { get; }

    /// <summary>Makes room for the results of rows.</summary>
    public RowResults.Factory<EncodedText> CreateResults => (lease, read, rows, _) => new ClassTextResults(lease, read, rows, this);

    /// <summary>Creates it.</summary>
    /// <param name="generator">Tokenizer and defaults.</param>
    /// <param name="settings">What is written for classes.</param>
    /// <param name="generation">How the model writes; complete.</param>
    /// <param name="batchSize">Rows that are scored at the same time.</param>
    /// <exception cref="ArgumentException">A text is too long, or two have the same tokens; the message names them.</exception>
    public static ClassTextScorer Create(TextGenerator generator, ClassTextSettings settings, GenerationOptions generation, int batchSize)
    {
        var encoder = new TargetEncoder(generator, settings.MaximumTokens, settings.EndToken);
        var ids = new int[settings.Texts.Count][];
        for (var c = 0; c < ids.Length; c++)
        {
            (ids[c], var cutOff) = encoder.Encode(settings.Texts[c]);
            if (cutOff > 0)
            {
                throw new ArgumentException(
                    $"The class '{settings.Texts[c]}' has {ids[c].Length + cutOff} tokens; {settings.MaximumTokens} are the most.");
            }

            if (Array.FindIndex(ids, 0, c, other => other.AsSpan().SequenceEqual(ids[c])) is >= 0 and var same)
            {
                throw new ArgumentException(
                    $"To this model the classes '{settings.Texts[same]}' and '{settings.Texts[c]}' are the same text: give others.");
            }
        }

        return new ClassTextScorer(generator, settings, generation, batchSize, ids);
    }

    /// <summary>Scores of the classes, NaN where what was written is of none.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">B rows.</param>
    /// <param name="scores">Receives B·C numbers.</param>
    public void Score(Model<EncodedText> model, IReadOnlyList<EncodedText> prompts, Span<float> scores)
    {
        var classes = _ids.Length;
        if (Settings.Reading == ClassReading.Written)
        {
            foreach (var (row, written) in _generator.Write(model, prompts, Generation, BatchSize, measuresEntropy: false).Index())
                Tell(written.Answer.Text, scores.Slice(row * classes, classes));
            return;
        }

        var logs = ContinuationScoring.LogProbabilities(
            TextGenerator.View(model), [.. prompts.Select(prompt => prompt.Ids!.Ids)], _ids, BatchSize);
        foreach (var (row, values) in logs.Index())
        {
            var (largest, sum) = (values.Max(), 0.0);
            foreach (var value in values)
                sum += Math.Exp(value - largest);
            for (var c = 0; c < classes; c++)
                scores[row * classes + c] = (float)(Math.Exp(values[c] - largest) / sum);
        }
    }

    private void Tell(string text, Span<float> scores)
    {
        scores.Fill(float.NaN);
        if (!_classOf.TryGetValue(text.Trim(), out var written))
            return;
        scores.Clear();
        scores[written] = 1f;
    }
}

/// <summary>Classes of rows, told by their texts.</summary>
/// <param name="lease">The model; disposed with this.</param>
/// <param name="read">Reads the table's current row.</param>
/// <param name="rows">Most rows that are read ahead.</param>
/// <param name="scorer">Tells classes.</param>
internal sealed class ClassTextResults(
    ModelLease<Model<EncodedText>> lease, RowReader<EncodedText> read, int rows, ClassTextScorer scorer) : RowResults
{
    private readonly RowBatch<EncodedText> _batch = new(lease.Engine, Math.Min(rows, RowBatch.MostRows));
    private readonly int _classes = scorer.Settings.Texts.Count;
    private readonly float[] _scores = new float[Math.Min(rows, RowBatch.MostRows) * scorer.Settings.Texts.Count];

    /// <inheritdoc/>
    public override bool IsFull => _batch.IsFull;

    /// <inheritdoc/>
    public override void Clear() => _batch.Clear();

    /// <inheritdoc/>
    public override void Read() => _batch.Add(read(out var size), size);

    /// <inheritdoc/>
    public override void Score()
    {
        var encoded = _batch.Encode();
        lease.Score(model => scorer.Score(model, encoded, _scores));
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<float> OutputsOf(int row) => _scores.AsSpan(row * _classes, _classes);

    /// <inheritdoc/>
    public override RowEntropy EntropyOf(int row) =>
        throw new InvalidOperationException("Router entropy is not measured of classes that are told by their texts.");

    /// <inheritdoc/>
    public override void Dispose() => lease.Dispose();
}
