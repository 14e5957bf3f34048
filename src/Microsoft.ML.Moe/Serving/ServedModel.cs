using Microsoft.ML.Data;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Serving;

/// <summary>A model that is served, with what comes before its classifier.</summary>
/// <typeparam name="TRow">A row.</typeparam>
/// <typeparam name="TPrediction">What becomes of it.</typeparam>
internal sealed class ServedModel<TRow, TPrediction> : IDisposable
    where TRow : class
    where TPrediction : class, new()
{
    private static readonly RoutingReportOptions Routing = new() { TopTokens = 0, SampledTokens = 0 };
    private readonly MLContext _ml;
    private readonly ITransformer _model;
    private readonly TransformerChain<ITransformer> _before;
    private readonly MoeClassificationTransformer? _classifier;

    private ServedModel(MLContext ml, ITransformer model)
    {
        (_ml, _model) = (ml, model);
        ITransformer[] steps = [.. model as IEnumerable<ITransformer> ?? [model]];
        var place = Array.FindIndex(steps, step => step is MoeClassificationTransformer { Model.Experts: > 0 });
        _classifier = place < 0 ? null : (MoeClassificationTransformer)steps[place];
        _before = new TransformerChain<ITransformer>(steps[..Math.Max(place, 0)]);
    }

    /// <summary>Loads a model, and warms it up.</summary>
    /// <param name="path">The model zip.</param>
    /// <param name="warmUp">Rows that it has to score.</param>
    /// <param name="batch">How many rows it scores at once.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or the cause of what ML.NET throws is that.</exception>
    public static ServedModel<TRow, TPrediction> Load(string path, IReadOnlyList<TRow> warmUp, int batch)
    {
        var ml = new MLContext();
        var served = new ServedModel<TRow, TPrediction>(ml, ReferredFolder.Beside(path, () => ml.Model.Load(path, out _)));
        try
        {
            // one row and many go different ways through the kernels
            foreach (var size in warmUp.Count > 0 ? new[] { 1, batch } : [])
                served.Score([.. Enumerable.Range(0, size).Select(i => warmUp[i % warmUp.Count])]);
            return served;
        }
        catch
        {
            served.Dispose();
            throw;
        }
    }

    /// <summary>Scores rows together.</summary>
    public List<TPrediction> Score(IReadOnlyList<TRow> rows)
    {
        List<TPrediction> predictions =
            [.. _ml.Data.CreateEnumerable<TPrediction>(_model.Transform(_ml.Data.LoadFromEnumerable(rows)), reuseRowObject: false)];
        return predictions.Count == rows.Count
            ? predictions
            : throw new InvalidOperationException(
                $"The model gives {predictions.Count} rows for {rows.Count}: it filters, and cannot be served.");
    }

    /// <summary>What the routers do with rows; null where there are none.</summary>
    public RoutingReport? Route(IReadOnlyList<TRow> rows) =>
        _classifier?.ReportRouting(_before.Transform(_ml.Data.LoadFromEnumerable(rows)), Routing);

    public void Dispose() => (_model as IDisposable)?.Dispose();
}
