using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A trained classifier. Scoring is safe from several threads at once. The engine it lives on belongs to the caller and must outlive it.
/// </summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
public abstract partial class Classifier<TRow>
{
    private readonly EncoderConfig _config;
    private readonly ParameterStore _parameters;

    // What the last call has left for the next to pack in; null while one has it.
    private IClassifierForward<TRow>? _forward;

    private protected Classifier(Engine engine, EncoderConfig config, int classes, ParameterStore parameters, RoutingPolicy? policy)
    {
        Engine = engine;
        _config = config;
        _parameters = parameters;
        Policy = policy;
        ClassCount = classes;
    }

    /// <summary>Number of classes, C.</summary>
    public int ClassCount { get; }

    /// <summary>The router in use; without effect in a model without MoE layers.</summary>
    public RouterSettings Router => _config.Router;

    /// <summary>Precision of the weight matrices when scoring; <see cref="InferencePrecision.Full"/> unless changed.</summary>
    public InferencePrecision Precision => _parameters.Precision;

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => _parameters.All.Sum(p => (long)p.Parameter.Value.Length);

    /// <summary>The architecture.</summary>
    internal EncoderConfig Architecture => _config;

    /// <summary>The parameters; shared with the trainer.</summary>
    internal ParameterStore Parameters => _parameters;

    /// <summary>Floating-point operations of scoring rows; see <see cref="ForwardCost"/>.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="pairs">Token–expert pairs of all MoE layers together.</param>
    internal double Flops(IEnumerable<TRow> rows, long pairs) => ForwardCost.Flops(_config, ClassCount, rows.Select(TokensOf), pairs);

    /// <summary>Class probabilities of rows.</summary>
    /// <param name="rows">Encoded by this model's input.</param>
    /// <param name="probabilities">Receives rows × C values, row-major; each row sums to 1.</param>
    /// <exception cref="ArgumentException"><paramref name="probabilities"/> is too short.</exception>
    public void Score(IReadOnlyList<TRow> rows, Span<float> probabilities) =>
        ScoreObserved(rows, probabilities, observer: null);

    /// <summary>Class probabilities of rows, with an observer of what the MoE layers route where.</summary>
    internal void ScoreObserved(IReadOnlyList<TRow> rows, Span<float> probabilities, IRoutingObserver? observer)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (probabilities.Length < (long)rows.Count * ClassCount)
            throw new ArgumentException($"{rows.Count} rows × {ClassCount} classes need more room.", nameof(probabilities));
        PolicySelector? policies = Policy is null ? null : (_, _) => Policy;
        // an observer, or a policy from outside, may keep what it is shown
        var mayBeKept = observer is not null || Policy is not null;
        var forward = mayBeKept ? CreateForward(keepsLayouts: true) : Interlocked.Exchange(ref _forward, null) ?? CreateForward();
        var start = 0;
        foreach (var pass in ScoringPasses.Of(rows, TokensOf, padded: !Router.MaskPadding))
        {
            using var tape = mayBeKept ? Engine.BeginTape(training: false) : Engine.LeaseTape(training: false);
            forward.Pack(pass);
            var output = forward.Run(tape, observer, policies);
            tape.Softmax(output.LogitsBC).CopyTo(probabilities.Slice(start * ClassCount, pass.Count * ClassCount));
            start += pass.Count;
        }

        if (!mayBeKept)
            _forward = forward;
    }

    /// <summary>
    /// This classifier with another router over the same weights: what USMoE (arXiv 2503.22996) calls training-free use. Nothing is
    /// copied, and both go on working side by side on the engine, which must outlive both.
    /// </summary>
    /// <param name="router">The router; <see cref="Router"/> <c>with</c> a change keeps its other settings.</param>
    /// <exception cref="ArgumentException">The router is impossible, or does not fit the number of experts.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public abstract Classifier<TRow> WithRouting(RouterSettings router);

    /// <summary>
    /// As <see cref="WithRouting"/>, with any policy, one of your own too. For experiments: such a classifier cannot be saved, and
    /// <see cref="Router"/> still tells the router of this one.
    /// </summary>
    /// <param name="policy">Routes the tokens of every MoE layer.</param>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public abstract Classifier<TRow> WithPolicy(RoutingPolicy policy);

    /// <summary>
    /// This classifier with its weight matrices in another precision when scoring, without training. Both go on working side by side on
    /// the engine, which must outlive both; the weights are shared, and rounded ones take half as much memory again. Saving writes the
    /// weights as they were trained, and a loaded classifier scores in full precision: how to score is the machine's affair,
    /// not the model's.
    /// </summary>
    /// <param name="precision">The precision.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="precision"/> is no precision.</exception>
    public abstract Classifier<TRow> WithPrecision(InferencePrecision precision);

    /// <summary>Saves the classifier; what it needs besides, such as a tokenizer, is the caller's to save.</summary>
    /// <param name="config">Receives <c>Config.json</c>.</param>
    /// <param name="weights">Receives <c>Weights.safetensors</c>.</param>
    /// <exception cref="InvalidOperationException">It comes from <see cref="WithPolicy"/>.</exception>
    public void Save(Stream config, Stream weights)
    {
        if (Policy is not null)
            throw new InvalidOperationException(
                $"A classifier from {nameof(WithPolicy)} cannot be saved: files hold {nameof(RouterSettings)}. Use {nameof(WithRouting)}.");
        _config.Write(config);
        SafeTensors.Write(weights, [.. _parameters.All.Select(p => p.Parameter)]);
    }

    /// <summary>Packs rows and runs the network.</summary>
    /// <param name="keepsLayouts">Whether a batch's layout stays as it is when the next is packed.</param>
    internal abstract IClassifierForward<TRow> CreateForward(bool keepsLayouts = false);

    /// <summary>Number of a row's tokens, padding not counted.</summary>
    private protected abstract int TokensOf(TRow row);

    /// <summary>Number of a row's tokens that were cut off.</summary>
    private protected abstract int TokensCutOffOf(TRow row);

    /// <summary>What a token reads as in reports.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Position of the token in it.</param>
    private protected abstract string TextOf(TRow row, int position);

    /// <summary>The policy that takes the place of the router's; null for none.</summary>
    private protected RoutingPolicy? Policy { get; }

    /// <summary>Where it lives.</summary>
    private protected Engine Engine { get; }

    /// <summary>The parameters for a model that shares them, with the matrices in a precision for scoring.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="precision"/> is no precision.</exception>
    private protected ParameterStore ShareIn(InferencePrecision precision) => Enum.IsDefined(precision)
        ? new ParameterStore(_parameters, precision)
        : throw new ArgumentOutOfRangeException(nameof(precision), precision, "No such precision.");

    /// <summary>The parameters for a model that shares them, after checking that there is something to route.</summary>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    private protected ParameterStore ShareToRoute()
    {
        CheckRoutes();
        return new ParameterStore(_parameters);
    }

    private void CheckRoutes()
    {
        if (_config.MoeLayers == 0)
            throw new InvalidOperationException(
                $"The model has no MoE layers ({nameof(_config.Layers)} = {_config.Layers}, "
                + $"{nameof(_config.MoeEvery)} = {_config.MoeEvery}): there is nothing to route.");
    }
}
