using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models.Adapters;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A trained model: an input that makes token vectors of rows, an encoder that puts them in context, and a head that tells something of
/// each row. Scoring is safe from several threads at once. The engine it lives on belongs to the caller and must outlive it.
/// </summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
public sealed partial class Model<TRow>
{
    private readonly ParameterStore _parameters;
    private readonly TokenEmbedding _embedding;
    private readonly Encoder _encoder;
    private readonly PolicySelector? _policies;
    private readonly AdapterPlan? _adapters;

    // The last call leaves its packer here for the next one; null while a call uses it.
    private Packer<TRow>? _packer;

    internal Model(
        Engine engine,
        ModelConfig config,
        Input<TRow> input,
        ParameterStore parameters,
        Branch<TRow>? branch = null,
        PolicySelector? policies = null)
    {
        Engine = engine;
        config = config with { Linear = null, FurtherHeads = null };
        Config = branch?.AddTo(config) ?? config;
        Input = input;
        _parameters = parameters;
        _policies = policies;
        Branch = branch;
        if (config.Adaptation is { } adaptation)
        {
            _adapters = new AdapterPlan(adaptation, config.Encoder);
            parameters.Adapters = _adapters.Create;
        }

        _embedding = input.CreateEmbedding(parameters, config.Encoder);
        _encoder = config.Encoder.CreateEncoder(parameters);
        Head = config.Head.CreateHead(parameters, config.Encoder);
    }

    /// <summary>What the model's rows are. Encodes them for <see cref="Score(IReadOnlyList{TRow}, Span{float})"/>.</summary>
    public Input<TRow> Input { get; }

    /// <summary>Numbers that the model gives for a row: the probabilities of C classes, or the D numbers of a vector.</summary>
    public int Outputs => Head.Outputs;

    /// <summary>The router in use; without effect in a model without MoE layers.</summary>
    public Router Router => Config.Encoder.Router;

    /// <summary>Precision of the weight matrices when scoring; <see cref="InferencePrecision.Full"/> unless changed.</summary>
    public InferencePrecision Precision => _parameters.Precision;

    /// <summary>Number of values that make up the model: of the network, of adapters in it, and of the linear branch beside it.</summary>
    public long ParameterCount =>
        _parameters.All.Sum(p => (long)p.Parameter.Value.Length) + (Branch?.Export().Sum(values => (long)values.Values.Length) ?? 0);

    /// <summary>Input, architecture and head.</summary>
    internal ModelConfig Config { get; }

    /// <summary>What counts beside the head; null for nothing.</summary>
    internal Branch<TRow>? Branch { get; }

    /// <summary>The head.</summary>
    internal Head Head { get; }

    /// <summary>The encoder's blocks.</summary>
    internal Encoder Blocks => _encoder;

    /// <summary>The parameters; shared with the trainer.</summary>
    internal ParameterStore Parameters => _parameters;

    /// <summary>Where it lives.</summary>
    internal Engine Engine { get; }

    /// <summary>Floating-point operations of scoring rows; see <see cref="ForwardCost"/>.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="pairs">Token–expert pairs of all MoE layers together.</param>
    internal double Flops(IEnumerable<TRow> rows, long pairs) => ForwardCost.Flops(
        Config.Encoder, Input.EmbeddingCost(Config.Encoder.Width), Head.Cost(Config.Encoder.Width), rows.Select(Input.TokensOf), pairs);

    /// <summary>What the model gives for rows.</summary>
    /// <param name="rows">Encoded by this model's input.</param>
    /// <param name="outputs">Receives rows × <see cref="Outputs"/> values, row-major; probabilities of a row sum to 1.</param>
    /// <exception cref="ArgumentException"><paramref name="outputs"/> is too short.</exception>
    public void Score(IReadOnlyList<TRow> rows, Span<float> outputs) => Score(rows, outputs, observer: null);

    /// <summary>As the public method, with an observer of what the MoE layers route where.</summary>
    internal void Score(IReadOnlyList<TRow> rows, Span<float> outputs, IRoutingObserver? observer)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (outputs.Length < (long)rows.Count * Outputs)
            throw new ArgumentException($"{rows.Count} rows × {Outputs} numbers need more room.", nameof(outputs));
        var policies = Policies;
        var mayBeKept = MayBeKept(observer);
        var packer = mayBeKept ? CreatePacker(keepsLayouts: true) : Interlocked.Exchange(ref _packer, null) ?? CreatePacker();
        var start = 0;
        foreach (var pass in ScoringPasses.Of(rows, TokensOfPass, Config.Encoder, padded: !Router.MaskPadding))
        {
            using var tape = BeginScoring(observer);
            var scores = Forward(tape, packer.Pack(pass), observer, policies);
            var outputsOfPass = outputs.Slice(start * Outputs, pass.Count * Outputs);
            Head.Write(tape, scores, outputsOfPass);
            Branch?.Combine(Engine, pass, outputsOfPass);
            start += pass.Count;
        }

        if (!mayBeKept)
            _packer = packer;
    }

    /// <summary>Begins a tape for inference: a leased one, unless somebody may keep what it is shown.</summary>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    internal Tape BeginScoring(IRoutingObserver? observer) =>
        MayBeKept(observer) ? Engine.BeginTape(training: false) : Engine.LeaseTape(training: false);

    // by an observer, or by a policy from outside
    private bool MayBeKept(IRoutingObserver? observer) => observer is not null || _policies is not null;

    /// <summary>Runs the network on a batch. What its layers add to the loss is in <see cref="Tape.AuxiliaryLosses"/>.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="batch">B rows.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    /// <param name="policies">Takes the place of the layers' own policies; null leaves them.</param>
    internal Tensor Forward(Tape tape, Batch batch, IRoutingObserver? observer = null, PolicySelector? policies = null) =>
        Head.Forward(tape, Encode(tape, batch, observer, policies), batch);

    /// <summary>Runs the embedding on a batch.</summary>
    /// <param name="context">What the layers share.</param>
    /// <param name="batch">B rows.</param>
    /// <returns>[T, D].</returns>
    internal Tensor Embed(ForwardContext context, Batch batch) => _embedding.Forward(context, batch);

    /// <summary>Runs embedding and encoder on a batch.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="batch">B rows.</param>
    /// <param name="observer">See <see cref="Forward"/>.</param>
    /// <param name="policies">See <see cref="Forward"/>.</param>
    /// <param name="blocks">How many of the first blocks run; null for all.</param>
    /// <param name="cache">What the layers have seen of the batch's rows before; null where these begin.</param>
    internal EncoderOutput Encode(
        Tape tape,
        Batch batch,
        IRoutingObserver? observer = null,
        PolicySelector? policies = null,
        int? blocks = null,
        DecodingCache? cache = null)
    {
        var losses = tape.IsTraining ? Config.Encoder.CreateLayersLoss(observer) : null;
        var routers = Head.ReadsRouters ? new RouterRecorder(losses ?? observer) : null;
        var context = new ForwardContext(tape, batch.Layout, routers ?? losses ?? observer, policies, cache);
        var encoded = _encoder.Forward(context, Embed(context, batch), last: blocks);
        cache?.Count(batch.Layout);
        if (losses?.Loss(tape) is { } loss)
            tape.AuxiliaryLosses.Add(loss);
        return encoded with { RouterLogits = routers?.Logits, Pass = context.Over(batch.Layout, observer) };
    }

    /// <summary>What <see cref="WithPolicy"/> has put in place of the layers' own policies; null for nothing.</summary>
    internal PolicySelector? Policies => _policies;

    /// <summary>What the model asks of batches.</summary>
    internal Packing Packing(bool keepsLayouts = false) => new(!Router.MaskPadding, keepsLayouts);

    /// <summary>This model with another router over the same weights: what USMoE (arXiv 2503.22996) calls training-free use. Nothing is
    /// copied, and both go on working side by side on the engine, which must outlive both.
    /// </summary>
    /// <param name="router">
    /// The router; <see cref="Router"/> <c>with</c> a change keeps its other settings. Of a causal model Unified over a sequence becomes Unified
    /// within <see cref="RoutingScope.Prefix"/>; of an encoder–decoder it stays what it is in the encoder, and does so in the decoder alone.
    /// </param>
    /// <exception cref="ArgumentException">
    /// The router does not fit the number of experts, or the model, or its decoder, writes text and the router is not causal
    /// (<see cref="Router.AllowsLookahead"/>).
    /// </exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public Model<TRow> WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        Config.CheckRoutes();
        if (router.Kind == RouterKind.Soft)
            throw new ArgumentException("Soft MoE is trained from the start: it cannot take the place of a router that chooses.", nameof(router));
        if (Config.Head is NextTokenHeadConfig)
            router = router.Causal();
        if (Config.Head is DecoderHeadConfig)
            router.CheckDecoder();
        var encoder = (Config.Encoder with { Router = router, DenseWidth = Config.Encoder.FeedForwardWidth }).Check();
        return new Model<TRow>(Engine, Config with { Encoder = encoder }, Input, new ParameterStore(_parameters), Branch?.Follow(one => one.WithRouting(router)));
    }

    /// <summary>
    /// As <see cref="WithRouting"/>, with any policy, one of your own too. For experiments: such a model cannot be saved, and
    /// <see cref="Router"/> still tells the router of this one.
    /// </summary>
    /// <param name="policy">Routes the tokens of every MoE layer.</param>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public Model<TRow> WithPolicy(RoutingPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return WithPolicies((_, _) => policy);
    }

    /// <summary>As <see cref="WithPolicy"/>, with a policy for each block, made of its own.</summary>
    internal Model<TRow> WithPolicies(PolicySelector policies)
    {
        Config.CheckRoutes();
        return new Model<TRow>(
            Engine, Config, Input, new ParameterStore(_parameters), Branch?.Follow(one => one.WithPolicies(policies)), policies);
    }

    /// <summary>
    /// This model with its weight matrices in another precision when scoring, without training. Both go on working side by side on
    /// the engine, which must outlive both; the weights are shared, and rounded ones take half as much memory again. Saving writes the
    /// weights as they were trained, and a loaded model scores in full precision: the precision belongs to the machine, not to the model.
    /// </summary>
    /// <param name="precision">The precision.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="precision"/> is no precision.</exception>
    public Model<TRow> WithPrecision(InferencePrecision precision) => new(
        Engine,
        Config,
        Input,
        new ParameterStore(_parameters, OptionCheck.Defined(precision, nameof(precision))),
        Branch?.Follow(one => one.WithPrecision(precision)),
        _policies);

    /// <summary>This model with other settings of its head, such as do not change its weights. Both share these.</summary>
    internal Model<TRow> WithHead(HeadConfig head) => new(
        Engine, Config with { Head = head }, Input, new ParameterStore(_parameters, Precision), Branch, _policies);

    /// <summary>This model over the same weights, for which it computes no gradients.</summary>
    internal Model<TRow> WithFrozenWeights() => new(Engine, Config, Input, new ParameterStore(_parameters, seed: 0), Branch, _policies);

    /// <summary>A model of the same architecture that has not learned.</summary>
    /// <param name="seed">Of its weights.</param>
    internal Model<TRow> Untrained(int seed) =>
        new(Engine, Config, Input, new ParameterStore(Engine, seed) { HasDenseTables = Config.Encoder.HasDenseTables });

    /// <summary>This model with something that counts beside its head. Both share the weights.</summary>
    internal Model<TRow> WithBranch(Branch<TRow> branch) => new(Engine, Config, Input, new ParameterStore(_parameters), branch, _policies);

    /// <summary>Saves the model; what it needs besides, such as a tokenizer, is the caller's to save.</summary>
    /// <param name="config">Receives <c>Config.json</c>.</param>
    /// <param name="weights">Receives <c>Weights.safetensors</c>.</param>
    /// <exception cref="InvalidOperationException">It comes from <see cref="WithPolicy"/>.</exception>
    public void Save(Stream config, Stream weights) => Save(config, weights, ElementType.Float32);

    /// <summary>
    /// As the public method, with the matrices in another type, to which they are rounded, but for the small one that scores classes; null for
    /// each parameter as it is, which loses nothing.
    /// </summary>
    internal void Save(Stream config, Stream weights, ElementType? matrices)
    {
        if (_policies is not null)
            throw new InvalidOperationException(
                $"A model from {nameof(WithPolicy)} cannot be saved: files hold a {nameof(Router)}. Use {nameof(WithRouting)}.");
        Config.Write(config);
        SafeTensorsWriter.Write(
            weights,
            [
                .. _parameters.All.SelectMany(p => matrices is null
                    ? SavedTensor.AllOf(p.Parameter)
                    : [SavedTensor.Of(
                        p.Parameter,
                        p.Role.IsMatrix() && !ClassifierHead.IsOfClasses(p.Parameter.Name) ? matrices.Value : ElementType.Float32)]),
                .. (Branch?.Export() ?? []).Select(SavedTensor.Of),
            ]);
    }

    private Packer<TRow> CreatePacker(bool keepsLayouts = false) => Input.CreatePacker(Packing(keepsLayouts));
}

/// <summary>Loads models that <see cref="Model{TRow}.Save(Stream, Stream)"/> has written.</summary>
public static class ModelFiles
{
    /// <summary>Loads a model of texts.</summary>
    /// <param name="config"><c>Config.json</c>.</param>
    /// <param name="weights"><c>Weights.safetensors</c>.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="tokenizer">The tokenizer that it was trained with, if any.</param>
    /// <exception cref="InvalidDataException">The files are damaged, newer than this library or do not fit each other.</exception>
    public static Model<EncodedText> LoadText(Stream config, Stream weights, Engine engine, ISubwordTokenizer? tokenizer = null) =>
        Load<EncodedText, InputConfig>(
            config,
            weights,
            engine,
            input => input switch
            {
                TextInputConfig text => text.Restore(tokenizer),
                PublishedTextInputConfig text => text.Restore(tokenizer),
                _ => throw OtherRows(),
            },
            (settings, input, tensors) => settings is { Linear: { } branch, Head: ClassifierHeadConfig { Classes: var classes } }
                ? LinearBranch.Import(branch, (TextInput)input, classes, tensors.TakeWeights)
                : null);

    /// <summary>Loads a model that writes text, its weights in a precision for inference.</summary>
    /// <param name="config"><c>Config.json</c>.</param>
    /// <param name="weights"><c>Weights.safetensors</c>.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="precision">What the weights become.</param>
    /// <exception cref="InvalidDataException">The files are damaged, newer than this library or do not fit each other.</exception>
    /// <exception cref="InvalidOperationException">The weights do not fit in memory.</exception>
    internal static Model<EncodedText> LoadGenerator(
        Stream config, Stream weights, Engine engine, IPublishedTokenizer tokenizer, WeightPrecision precision) => LoadStored(
            config,
            weights,
            engine,
            tokenizer,
            precision,
            settings => (settings.Encoder as PublishedConfig)?.WritingHead is { } head && head.GetType() == settings.Head.GetType(),
            "a model that writes text");

    /// <summary>Loads a published model that embeds texts, its weights in a precision for inference.</summary>
    /// <inheritdoc cref="LoadGenerator"/>
    internal static Model<EncodedText> LoadEmbedder(
        Stream config, Stream weights, Engine engine, IPublishedTokenizer tokenizer, WeightPrecision precision) =>
        LoadStored(config, weights, engine, tokenizer, precision, settings => settings.Head is EmbeddingHeadConfig, "a model that embeds texts");

    private static Model<EncodedText> LoadStored(
        Stream config,
        Stream weights,
        Engine engine,
        IPublishedTokenizer tokenizer,
        WeightPrecision precision,
        Func<ModelConfig, bool> fits,
        string what)
    {
        var settings = ModelConfig.Read(config);
        if (settings is not { Input: PublishedTextInputConfig input, Encoder: PublishedConfig } || !fits(settings))
            throw new InvalidDataException($"Config.json is not of {what}: the model file is damaged.");
        var tensors = SafeTensors.Read(weights);
        MemoryNeeds.CheckWeights(tensors, precision, engine, isMapped: false, [TokenIdEmbedding.WordsName]);
        var source = Layers.Weights.From(tensors, WeightRules.Identity(), precision);
        var model = new Model<EncodedText>(engine, settings, input.Restore(tokenizer), new ParameterStore(engine, source) { HasDenseTables = true });
        source.Complete();
        return model;
    }

    /// <summary>Loads a model of images.</summary>
    /// <param name="config"><c>Config.json</c>.</param>
    /// <param name="weights"><c>Weights.safetensors</c>.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <exception cref="InvalidDataException">The files are damaged, newer than this library or do not fit each other.</exception>
    public static Model<ImagePixels> LoadImage(Stream config, Stream weights, Engine engine) =>
        Load<ImagePixels, PatchInputConfig>(config, weights, engine, input => new PatchInput(input), (_, _, _) => null);

    /// <summary>Loads a model of features.</summary>
    /// <param name="config"><c>Config.json</c>.</param>
    /// <param name="weights"><c>Weights.safetensors</c>.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <exception cref="InvalidDataException">The files are damaged, newer than this library or do not fit each other.</exception>
    public static Model<FeatureRow> LoadFeatures(Stream config, Stream weights, Engine engine) =>
        Load<FeatureRow, FeatureInputConfig>(
            config,
            weights,
            engine,
            input => new FeatureInput(input),
            (settings, input, tensors) => settings.FurtherHeads is { Count: > 0 } heads
                ? FurtherNetworks.Import(engine, settings, (FeatureInput)input, heads, tensors.TakeFill)
                : null);

    private static InvalidDataException OtherRows() => new("Config.json is of a model that reads other rows.");

    private static Model<TRow> Load<TRow, TInput>(
        Stream config,
        Stream weights,
        Engine engine,
        Func<TInput, Input<TRow>> createInput,
        Func<ModelConfig, Input<TRow>, SafeTensors, Branch<TRow>?> createBranch)
        where TInput : InputConfig
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(engine);
        var settings = ModelConfig.Read(config);
        var inputConfig = settings.Input as TInput ?? throw OtherRows();
        var input = createInput(inputConfig);
        var tensors = SafeTensors.Read(weights);
        var branch = createBranch(settings, input, tensors);
        var model = new Model<TRow>(engine, settings, input, new ParameterStore(engine, tensors.TakeFill) { HasDenseTables = settings.Encoder.HasDenseTables }, branch);
        tensors.CheckAllTaken();
        return model;
    }
}
