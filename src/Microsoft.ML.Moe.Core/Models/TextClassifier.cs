using Microsoft.ML.Moe.Checkpoints;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A trained text classifier. Scoring is safe from several threads at once. The engine it lives on belongs to the caller and must
/// outlive it.
/// </summary>
public sealed partial class TextClassifier
{
    private readonly Engine _engine;
    private readonly TextClassifierConfig _config;
    private readonly TextClassifierNetwork _network;
    private readonly ParameterStore _parameters;
    private readonly RoutingPolicy? _policy;

    internal TextClassifier(
        Engine engine, TextClassifierConfig config, ParameterStore parameters, TextInput input, RoutingPolicy? policy = null)
    {
        _engine = engine;
        _config = config;
        _parameters = parameters;
        _policy = policy;
        _network = new TextClassifierNetwork(parameters, config);
        Input = input;
    }

    /// <summary>Number of classes, C.</summary>
    public int ClassCount => _config.Classes;

    /// <summary>Encodes texts for <see cref="Score(IReadOnlyList{EncodedText}, Span{float})"/>.</summary>
    public TextInput Input { get; }

    /// <summary>The router in use; without effect in a model without MoE layers.</summary>
    public RouterSettings Router => _config.Router;

    /// <summary>Precision of the weight matrices when scoring; <see cref="InferencePrecision.Full"/> unless changed.</summary>
    public InferencePrecision Precision => _parameters.Precision;

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => _parameters.All.Sum(p => (long)p.Parameter.Value.Length);

    /// <summary>Input and architecture.</summary>
    internal TextClassifierConfig Config => _config;

    /// <summary>The network; shared with the trainer.</summary>
    internal TextClassifierNetwork Network => _network;

    /// <summary>The parameters; shared with the trainer.</summary>
    internal ParameterStore Parameters => _parameters;

    /// <summary>Class probabilities of texts.</summary>
    /// <param name="rows">Encoded by <see cref="Input"/>.</param>
    /// <param name="probabilities">Receives rows × C values, row-major; each row sums to 1.</param>
    /// <exception cref="ArgumentException"><paramref name="probabilities"/> is too short.</exception>
    public void Score(IReadOnlyList<EncodedText> rows, Span<float> probabilities) =>
        ScoreObserved(rows, probabilities, observer: null);

    /// <summary>Class probabilities of texts, with an observer of what the MoE layers route where.</summary>
    internal void ScoreObserved(IReadOnlyList<EncodedText> rows, Span<float> probabilities, IRoutingObserver? observer)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (probabilities.Length < (long)rows.Count * ClassCount)
            throw new ArgumentException($"{rows.Count} rows × {ClassCount} classes need more room.", nameof(probabilities));
        PolicySelector? policies = _policy is null ? null : (_, _) => _policy;
        var packer = CreatePacker();
        var start = 0;
        foreach (var pass in ScoringPasses.Of(rows, padded: !Router.MaskPadding))
        {
            using var tape = _engine.BeginTape(training: false);
            var output = _network.Forward(tape, packer.Pack(pass), observer, policies);
            tape.Softmax(output.LogitsBC).CopyTo(probabilities.Slice(start * ClassCount, pass.Count * ClassCount));
            start += pass.Count;
        }
    }

    /// <summary>
    /// This classifier with another router over the same weights: what USMoE (arXiv 2503.22996) calls training-free use. Nothing is
    /// copied, and both go on working side by side on the engine, which must outlive both.
    /// </summary>
    /// <param name="router">The router; <see cref="Router"/> <c>with</c> a change keeps its other settings.</param>
    /// <exception cref="ArgumentException">The router is impossible, or does not fit the number of experts.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public TextClassifier WithRouting(RouterSettings router)
    {
        ArgumentNullException.ThrowIfNull(router);
        CheckRoutes();
        return new TextClassifier(_engine, _config.With<TextClassifierConfig>(router), new ParameterStore(_parameters), Input);
    }

    /// <summary>
    /// As <see cref="WithRouting"/>, with any policy, one of your own too. For experiments: such a classifier cannot be saved, and
    /// <see cref="Router"/> still tells the router of this one.
    /// </summary>
    /// <param name="policy">Routes the tokens of every MoE layer.</param>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public TextClassifier WithPolicy(RoutingPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        CheckRoutes();
        return new TextClassifier(_engine, _config, new ParameterStore(_parameters), Input, policy);
    }

    /// <summary>
    /// This classifier with its weight matrices in another precision when scoring, without training. Both go on working side by side on
    /// the engine, which must outlive both; the weights are shared, and rounded ones take half as much memory again. Saving writes the
    /// weights as they were trained, and a loaded classifier scores in full precision: how to score is the machine's affair,
    /// not the model's.
    /// </summary>
    /// <param name="precision">The precision.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="precision"/> is no precision.</exception>
    public TextClassifier WithPrecision(InferencePrecision precision)
    {
        if (!Enum.IsDefined(precision))
            throw new ArgumentOutOfRangeException(nameof(precision), precision, "No such precision.");
        return new TextClassifier(_engine, _config, new ParameterStore(_parameters, precision), Input, _policy);
    }

    /// <summary>Saves the classifier; a tokenizer, if it uses one, is the caller's to save.</summary>
    /// <param name="config">Receives <c>Config.json</c>.</param>
    /// <param name="weights">Receives <c>Weights.safetensors</c>.</param>
    /// <exception cref="InvalidOperationException">It comes from <see cref="WithPolicy"/>.</exception>
    public void Save(Stream config, Stream weights)
    {
        if (_policy is not null)
            throw new InvalidOperationException(
                $"A classifier from {nameof(WithPolicy)} cannot be saved: files hold {nameof(RouterSettings)}. Use {nameof(WithRouting)}.");
        _config.Write(config);
        SafeTensors.Write(weights, [.. _parameters.All.Select(p => p.Parameter)]);
    }

    /// <summary>Loads a classifier that <see cref="Save"/> has written.</summary>
    /// <param name="config"><c>Config.json</c>.</param>
    /// <param name="weights"><c>Weights.safetensors</c>.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="tokenizer">The tokenizer that it was trained with, if any.</param>
    /// <exception cref="InvalidDataException">The files are damaged, newer than this library or do not fit each other.</exception>
    public static TextClassifier Load(Stream config, Stream weights, Engine engine, ISubwordTokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(engine);
        var settings = TextEncoderConfig.Read<TextClassifierConfig>(config);
        var input = settings.CreateInput(tokenizer);
        var tensors = SafeTensors.Read(weights);
        var store = new ParameterStore(engine, tensors.Take);
        var classifier = new TextClassifier(engine, settings, store, input);
        tensors.CheckAllTaken();
        return classifier;
    }

    /// <summary>Packs texts for the network.</summary>
    internal TextBatchPacker CreatePacker() => new(_config.WideBits, padToLongest: !Router.MaskPadding);

    private void CheckRoutes()
    {
        if (_config.MoeLayers == 0)
            throw new InvalidOperationException(
                $"The model has no MoE layers ({nameof(_config.Layers)} = {_config.Layers}, "
                + $"{nameof(_config.MoeEvery)} = {_config.MoeEvery}): there is nothing to route.");
    }
}
