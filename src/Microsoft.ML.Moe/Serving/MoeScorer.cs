using System.Diagnostics;
using System.Threading.Channels;

namespace Microsoft.ML.Moe.Serving;

/// <summary>
/// One model that many callers score with at the same time: rows that arrive together are scored together, and another file takes the
/// model's place while it serves. Safe to use from any thread.
/// </summary>
/// <typeparam name="TRow">A row, with the columns that the model reads.</typeparam>
/// <typeparam name="TPrediction">What becomes of it, with columns that the model gives.</typeparam>
/// <remarks>
/// A batch is scored when <see cref="MoeScorerOptions{TRow}.MaximumBatch"/> rows wait, or the first of them has waited for
/// <see cref="MoeScorerOptions{TRow}.MaximumDelay"/>. Where a row of a batch cannot be scored, its caller alone gets the exception. A row's
/// answer does not depend on the rows beside it, unless the model's router makes them compete (<c>RoutingScope.Batch</c>). What is
/// measured: <see cref="MoeScorerTelemetry"/>.
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// await using var scorer = new MoeScorer<Sentence, Prediction>("model.zip");
/// var prediction = await scorer.ScoreAsync(new Sentence { Text = "The river bends twice." });
/// await scorer.SwapAsync("better.zip");
/// ]]></code>
/// </example>
public sealed class MoeScorer<TRow, TPrediction> : IAsyncDisposable
    where TRow : class
    where TPrediction : class, new()
{
    private readonly MoeScorerOptions<TRow> _options;
    private readonly Channel<Request> _requests;
    private readonly SemaphoreSlim _swaps = new(1);
    private readonly Lock _scoring = new();
    private readonly Task _loop;
    private ServedModel<TRow, TPrediction> _model;
    private long _batches;

    /// <summary>Loads a model, and serves it.</summary>
    /// <param name="path">The model zip, as <c>mlContext.Model.Save</c> writes it.</param>
    /// <param name="options">How it is served; null for the defaults.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidOperationException">
    /// The model cannot score the rows of <see cref="MoeScorerOptions{TRow}.WarmUpRows"/>.
    /// </exception>
    /// <remarks>A damaged file gives what <c>mlContext.Model.Load</c> throws.</remarks>
    public MoeScorer(string path, MoeScorerOptions<TRow>? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _options = options ?? new MoeScorerOptions<TRow>();
        _requests = Channel.CreateBounded<Request>(new BoundedChannelOptions(_options.QueueLength) { SingleReader = true });
        _model = ServedModel<TRow, TPrediction>.Load(path, _options.WarmUpRows, _options.MaximumBatch);
        LoadedAt = DateTimeOffset.UtcNow;
        _loop = Task.Run(ServeAsync);
    }

    /// <summary>When the model that is served was loaded.</summary>
    public DateTimeOffset LoadedAt { get; private set; }

    /// <summary>
    /// Why the last <see cref="SwapAsync"/> failed, for a health check; null where it did not. The model from before serves on.
    /// </summary>
    public string? Fault { get; private set; }

    /// <summary>Scores a row.</summary>
    /// <param name="row">The row; not to be changed before it is answered.</param>
    /// <param name="cancellationToken">Gives up the wait.</param>
    /// <exception cref="InvalidOperationException">The row cannot be scored; the message says why.</exception>
    /// <exception cref="OperationCanceledException">It was given up.</exception>
    /// <exception cref="ObjectDisposedException">The scorer was disposed.</exception>
    public async Task<TPrediction> ScoreAsync(TRow row, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(row);
        var request = new Request(row, cancellationToken);
        try
        {
            await _requests.Writer.WriteAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(GetType().Name);
        }

        return await request.Answer.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Loads another model, warms it up, and puts it in place of the one that serves. Rows that are being scored are answered by the old
    /// one.
    /// </summary>
    /// <param name="path">The model zip.</param>
    /// <param name="cancellationToken">Ends it, before the models change places.</param>
    /// <exception cref="IOException">The file cannot be read; the old model serves on.</exception>
    /// <exception cref="InvalidOperationException">The model cannot score the warm-up rows; the old one serves on.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <remarks>A damaged file gives what <c>mlContext.Model.Load</c> throws, and the old model serves on.</remarks>
    public async Task SwapAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        await _swaps.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ServedModel<TRow, TPrediction> Load() => ServedModel<TRow, TPrediction>.Load(path, _options.WarmUpRows, _options.MaximumBatch);
            var next = await Task.Run(Load, cancellationToken).ConfigureAwait(false);
            using var old = Exchange(next);
            Fault = null;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Fault = $"{path}: {e.GetBaseException().Message}";
            throw;
        }
        finally
        {
            _swaps.Release();
        }
    }

    /// <summary>Answers the rows that wait, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_requests.Writer.TryComplete())
            return;
        await _loop.ConfigureAwait(false);
        await _swaps.WaitAsync().ConfigureAwait(false);
        _model.Dispose();
        _swaps.Dispose();
    }

    private ServedModel<TRow, TPrediction> Exchange(ServedModel<TRow, TPrediction> next)
    {
        lock (_scoring)
        {
            var old = _model;
            (_model, LoadedAt) = (next, DateTimeOffset.UtcNow);
            return old;
        }
    }

    private async Task ServeAsync()
    {
        var batch = new List<Request>(_options.MaximumBatch);
        while (await _requests.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            batch.Clear();
            await GatherAsync(batch).ConfigureAwait(false);
            batch.RemoveAll(request => request.IsGivenUp);
            if (batch.Count == 0)
                continue;
            lock (_scoring)
                Answer(batch);
        }
    }

    private async Task GatherAsync(List<Request> batch)
    {
        for (var since = Stopwatch.GetTimestamp(); ;)
        {
            while (batch.Count < _options.MaximumBatch && _requests.Reader.TryRead(out var request))
                batch.Add(request);
            var left = _options.MaximumDelay - Stopwatch.GetElapsedTime(since);
            if (batch.Count == _options.MaximumBatch || left <= TimeSpan.Zero)
                return;
            var more = _requests.Reader.WaitToReadAsync().AsTask();
            if (await Task.WhenAny(more, Task.Delay(left)).ConfigureAwait(false) != more || !await more.ConfigureAwait(false))
                return;
        }
    }

    private void Answer(List<Request> batch)
    {
        using var activity = MoeScorerTelemetry.Activities.StartActivity("moe.score");
        activity?.SetTag("moe.batch.size", batch.Count);
        if (TryAnswer(batch) is { } error)
        {
            activity?.SetStatus(ActivityStatusCode.Error, error.Message);

            // one row is at fault, and the others are not to suffer for it
            foreach (var request in batch)
                if ((batch.Count == 1 ? error : TryAnswer([request])) is { } own)
                {
                    MoeScorerTelemetry.Failed(own);
                    request.Answer.TrySetException(own);
                }

            return;
        }

        if (_options.RoutingInterval > 0 && _batches++ % _options.RoutingInterval == 0)
            MeasureRouting(batch, activity);
    }

    /// <summary>Measures what the routers do with rows that are answered already.</summary>
    private void MeasureRouting(List<Request> batch, Activity? activity)
    {
        try
        {
            if (_model.Route(RowsOf(batch)) is { } report)
                MoeScorerTelemetry.Routed(report);
        }
        catch (Exception e)
        {
            // nobody waits for it, and those who come next are to be answered
            activity?.SetStatus(ActivityStatusCode.Error, e.Message);
        }
    }

    private Exception? TryAnswer(List<Request> batch)
    {
        try
        {
            var since = Stopwatch.GetTimestamp();
            var predictions = _model.Score(RowsOf(batch));
            MoeScorerTelemetry.Scored(batch.Count, Stopwatch.GetElapsedTime(since));
            foreach (var (request, prediction) in batch.Zip(predictions))
                request.Answer.TrySetResult(prediction);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    private static List<TRow> RowsOf(List<Request> batch) => batch.ConvertAll(request => request.Row);

    private sealed class Request(TRow row, CancellationToken cancellationToken)
    {
        public TRow Row => row;

        public bool IsGivenUp => cancellationToken.IsCancellationRequested;

        public TaskCompletionSource<TPrediction> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
