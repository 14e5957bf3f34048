using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A trained text classifier. Scoring is safe from several threads at once. The engine it lives on belongs to the caller and must
/// outlive it.
/// </summary>
public sealed class TextClassifier : Classifier<EncodedText>
{
    internal TextClassifier(
        Engine engine, TextClassifierConfig config, ParameterStore parameters, TextInput input, RoutingPolicy? policy = null)
        : base(engine, config, config.Classes, parameters, policy)
    {
        Config = config;
        Network = new TextClassifierNetwork(parameters, config);
        Input = input;
    }

    /// <summary>Encodes texts for <see cref="Classifier{TRow}.Score(IReadOnlyList{TRow}, Span{float})"/>.</summary>
    public TextInput Input { get; }

    /// <summary>Input and architecture.</summary>
    internal TextClassifierConfig Config { get; }

    /// <summary>The network; shared with the trainer.</summary>
    internal TextClassifierNetwork Network { get; }

    /// <inheritdoc/>
    public override TextClassifier WithRouting(RouterSettings router)
    {
        ArgumentNullException.ThrowIfNull(router);
        var parameters = ShareToRoute();
        return new TextClassifier(Engine, Config.With<TextClassifierConfig>(router), parameters, Input);
    }

    /// <inheritdoc/>
    public override TextClassifier WithPolicy(RoutingPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new TextClassifier(Engine, Config, ShareToRoute(), Input, policy);
    }

    /// <inheritdoc/>
    public override TextClassifier WithPrecision(InferencePrecision precision) => new(Engine, Config, ShareIn(precision), Input, Policy);

    /// <summary>Loads a classifier that <see cref="Classifier{TRow}.Save"/> has written.</summary>
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
        var settings = EncoderConfig.Read<TextClassifierConfig>(config);
        var input = settings.CreateInput(tokenizer);
        var tensors = SafeTensors.Read(weights);
        var store = new ParameterStore(engine, tensors.Take);
        var classifier = new TextClassifier(engine, settings, store, input);
        tensors.CheckAllTaken();
        return classifier;
    }

    /// <summary>Packs texts for the network.</summary>
    internal TextBatchPacker CreatePacker(bool keepsLayouts = false) =>
        new(Config.WideBits, padToLongest: !Router.MaskPadding, keepsLayouts);

    /// <inheritdoc/>
    internal override IClassifierForward<EncodedText> CreateForward(bool keepsLayouts) => new TextClassifierForward(this, keepsLayouts);

    private protected override int TokensOf(EncodedText row) => row.Length;

    private protected override int TokensCutOffOf(EncodedText row) => row.TokensCutOff;

    private protected override string TextOf(EncodedText row, int position) => Input.TextOf(row.Tokens[position]);
}
