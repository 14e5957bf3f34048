using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A trained image classifier. Scoring is safe from several threads at once. The engine it lives on belongs to the caller and must
/// outlive it.
/// </summary>
public sealed class ImageClassifier : Classifier<ImagePixels>
{
    private readonly ImageClassifierConfig _config;
    private readonly ImageClassifierNetwork _network;
    private readonly PatchGrid _grid;

    internal ImageClassifier(Engine engine, ImageClassifierConfig config, ParameterStore parameters, RoutingPolicy? policy = null)
        : base(engine, config, config.Classes, parameters, policy)
    {
        _config = config;
        _network = new ImageClassifierNetwork(parameters, config);
        _grid = config.Grid;
        Input = _grid.Input;
    }

    /// <summary>Encodes images for <see cref="Classifier{TRow}.Score(IReadOnlyList{TRow}, Span{float})"/>.</summary>
    public ImageInput Input { get; }

    /// <inheritdoc/>
    public override ImageClassifier WithRouting(RouterSettings router)
    {
        ArgumentNullException.ThrowIfNull(router);
        var parameters = ShareToRoute();
        return new ImageClassifier(Engine, _config.With<ImageClassifierConfig>(router), parameters);
    }

    /// <inheritdoc/>
    public override ImageClassifier WithPolicy(RoutingPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new ImageClassifier(Engine, _config, ShareToRoute(), policy);
    }

    /// <inheritdoc/>
    public override ImageClassifier WithPrecision(InferencePrecision precision) => new(Engine, _config, ShareIn(precision), Policy);

    /// <summary>Loads a classifier that <see cref="Classifier{TRow}.Save"/> has written.</summary>
    /// <param name="config"><c>Config.json</c>.</param>
    /// <param name="weights"><c>Weights.safetensors</c>.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <exception cref="InvalidDataException">The files are damaged, newer than this library or do not fit each other.</exception>
    public static ImageClassifier Load(Stream config, Stream weights, Engine engine)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(engine);
        var settings = EncoderConfig.Read<ImageClassifierConfig>(config);
        var tensors = SafeTensors.Read(weights);
        var classifier = new ImageClassifier(engine, settings, new ParameterStore(engine, tensors.Take));
        tensors.CheckAllTaken();
        return classifier;
    }

    /// <inheritdoc/>
    internal override IClassifierForward<ImagePixels> CreateForward(bool keepsLayouts) =>
        new ImageClassifierForward(_config, _network, keepsLayouts);

    /// <summary>As <see cref="CreateForward(bool)"/>, with changes of the images while training.</summary>
    internal IClassifierForward<ImagePixels> CreateForward(AugmentationOptions augmentation) =>
        new ImageClassifierForward(_config, _network, augmentation: augmentation);

    private protected override int TokensOf(ImagePixels row) => _grid.Patches;

    private protected override int TokensCutOffOf(ImagePixels row) => 0;

    private protected override string TextOf(ImagePixels row, int position) => _grid.TextOf(position);
}
