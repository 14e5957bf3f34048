using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe;

/// <content>What routers do to prompts and their answers.</content>
public sealed partial class MoeTextGenerationTransformer
{
    /// <summary>Measures how well the model tells the answers of a table to the prompts in its input column.</summary>
    /// <param name="data">The table.</param>
    /// <param name="answerColumnName">Column of the answers, text. Tokens of the prompts are read and not counted.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or not text.</exception>
    /// <exception cref="InvalidOperationException">No row has an answer.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public TextScore Evaluate(IDataView data, string answerColumnName, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentException.ThrowIfNullOrEmpty(answerColumnName);
        using var hold = Held();
        return Scorer(data, answerColumnName, cancellationToken)(hold.Model, null);
    }

    /// <summary>
    /// Tells what the routers do with the prompts of a table and the answers to them: those of the table, or of another model. Of an
    /// encoder–decoder the decoder reads the answers, of a causal model the answer follows its prompt.
    /// </summary>
    /// <param name="data">The table.</param>
    /// <param name="answerColumnName">Column of the answers, text.</param>
    /// <param name="options">What the report shall hold; null for the defaults.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or not text, or an option is impossible.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public RoutingReport ReportRouting(
        IDataView data, string answerColumnName, RoutingReportOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        using var hold = Held();
        return hold.Model.ReportRouting(Answered(data, answerColumnName).Select(row => row.Row), options, cancellationToken);
    }

    /// <summary>
    /// Measures how well the model, without training, tells texts with other routers: those of the input column, or the answers to them.
    /// </summary>
    /// <param name="data">The table; each router reads it once.</param>
    /// <param name="routers">Routers to compare, at least one; see <see cref="WithRouting"/>.</param>
    /// <param name="answerColumnName">
    /// Column of the answers, text. null measures the texts of the input column themselves, as <see cref="Evaluate(IDataView, int?,
    /// CancellationToken)"/> does, which a causal model can alone.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>One result for each router, in their order.</returns>
    /// <exception cref="ArgumentException">There are no routers, or one does not fit the model.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or not text.</exception>
    /// <exception cref="InvalidOperationException">
    /// The model has no MoE layers; it is an encoder–decoder and there are no answers; or there is nothing to tell.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<RouterScore> CompareRouting(
        IDataView data,
        IReadOnlyList<Router> routers,
        string? answerColumnName = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(routers);
        if (routers.Count == 0)
            throw new ArgumentException("There are no routers to compare.", nameof(routers));
        using var hold = Held();
        // all are checked before the first is measured
        Model<EncodedText>[] models = [.. routers.Select(hold.Model.WithRouting)];
        var score = Scorer(data, answerColumnName, cancellationToken);
        return [.. models.Select(model => new RouterScore(model.Router, score(model, null)))];
    }

    /// <summary>
    /// Measures what it costs when uncertain tokens get random experts, and when as many arbitrary ones do: the analysis by which GW-MoE
    /// (arXiv 2406.12375, figure 1) shows that routers are not sure of some tokens for good reason. Shares of uncertain tokens by threshold
    /// are in it, too.
    /// </summary>
    /// <param name="data">The table; it is read once, and twice more for each threshold.</param>
    /// <param name="thresholds">
    /// H*, each as a share of the largest entropy, ln N, within [0, 1]: 0.77 and 0.87 are the paper's. At least one.
    /// </param>
    /// <param name="answerColumnName">See <see cref="CompareRouting"/>.</param>
    /// <param name="seed">Seed of experts and of arbitrary tokens.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>A result for each threshold, in their order.</returns>
    /// <exception cref="ArgumentException">There are no thresholds, or one is out of its range.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or not text.</exception>
    /// <exception cref="InvalidOperationException">See <see cref="CompareRouting"/>.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<RandomExpertsScore> CompareRandomExperts(
        IDataView data,
        IReadOnlyList<double> thresholds,
        string? answerColumnName = null,
        int seed = 0,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(thresholds);
        using var hold = Held();
        return RandomExpertsAnalysis.Run(hold.Model, thresholds, seed, Scorer(data, answerColumnName, cancellationToken));
    }

    /// <summary>
    /// Measures how well the model tells what each row wants it to write, as its training does: the first of several texts, and of one that
    /// is longer than the model reads the beginning. Of several windows the first is read.
    /// </summary>
    /// <param name="data">The table.</param>
    /// <param name="answerColumnName">
    /// Column of the answers, text or vectors of texts; the one column that is read: its texts themselves.
    /// </param>
    /// <returns>A score for each row; null of a row that lacks an answer or, itself, a second token.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type.</exception>
    internal IReadOnlyList<TextScore?> EvaluateRows(IDataView data, string answerColumnName)
    {
        using var hold = Held();
        var prompts = _rows.Find(data.Schema);
        var answer = InputColumns.TextOrTexts(data.Schema, answerColumnName, "answer");
        var isPlain = prompts is [var only] && only.Index == answer.Index;
        var positions = ((PublishedConfig)hold.Model.Config.Encoder).MaximumTokens;
        var end = TargetEncoder.EndTokenOf(_generator, _settings.Prompt?.ChatOf(_generator), _writer.Options);
        using var cursor = data.GetRowCursor(prompts.Append(answer).DistinctBy(column => column.Index));
        var (readPrompt, readAnswers) = (_rows.CreateReader(cursor, prompts), RowTexts.ReaderOfAll(cursor, answer));
        var scores = new List<TextScore?>();
        while (cursor.MoveNext())
        {
            var rows = readAnswers() is [var text, ..] && !string.IsNullOrWhiteSpace(text) ? RowsOf(text) : [];
            var score = AnswerScoring.Measure(hold.Model, rows.Select(row => (row, 0)));
            scores.Add(score.Tokens > 0 ? score : null);
        }

        return scores;

        EncodedText[] RowsOf(string text)
        {
            if (isPlain)
            {
                var longest = Math.Min(_settings.MaximumPromptTokens ?? positions, positions);
                return [.. new TargetEncoder(_generator, longest, end).Pieces(text)];
            }

            var prompt = readPrompt(out _)();
            var room = _generator.IsEncoderDecoder ? positions : positions - prompt.Length;
            return [_generator.Join(prompt, new TargetEncoder(_generator, room, end).Encode(text).Ids)];
        }
    }

    private Func<Model<EncodedText>, IRoutingObserver?, TextScore> Scorer(
        IDataView data, string? answerColumnName, CancellationToken stop)
    {
        if (answerColumnName is null)
        {
            CheckTellsTokens();
            return (model, observer) => Measured(TextScoring.Measure(model, Texts(data), maximumTokens: null, observer, stop));
        }

        var rows = Answered(data, answerColumnName);
        return (model, observer) => AnswerScoring.Measure(model, rows, observer, stop) is { Tokens: > 0 } score
            ? score
            : throw new InvalidOperationException($"No row of the table has an answer in column '{answerColumnName}'.");
    }

    private IEnumerable<(EncodedText Row, int Characters)> Answered(IDataView data, string answerColumnName) =>
        new AnsweredRows(_rows, _generator, _writer.Options.EndTokens is [var end, ..] ? end : null).Read(data, answerColumnName);
}
