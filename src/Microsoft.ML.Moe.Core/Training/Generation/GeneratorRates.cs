using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// How each parameter of a model that writes learns. An adapter learns as the matrix does that it is beside: as a router, an expert, or the rest.
/// </summary>
internal sealed class GeneratorRates
{
    private const string OfExperts = ".experts.";
    private const string OfRouter = ".router.";
    private const string OfPositions = "embedding.positions";

    private readonly GeneratorTrainingConfig _config;
    private readonly Dictionary<Parameter, Kind> _ofAdapters = [];

    /// <summary>Prepares them.</summary>
    /// <param name="config">What was asked for.</param>
    /// <param name="model">The model.</param>
    public GeneratorRates(GeneratorTrainingConfig config, Model<EncodedText> model)
    {
        _config = config;
        var roles = model.Parameters.All.ToDictionary(p => p.Parameter, p => p.Role);
        foreach (var (parameter, adapter, _) in model.Adapted)
        {
            var kind = KindOf(parameter.Name, roles[parameter]);
            foreach (var part in adapter.Parts)
                (_ofAdapters[part.A], _ofAdapters[part.B]) = (kind, kind);
        }
    }

    private enum Kind
    {
        Other,
        Router,
        Expert,
        Embedding,
    }

    /// <summary>
    /// Learning rate and weight decay of a parameter; the rate is 0 of one that stays as it is, as those do that are frozen already.
    /// </summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="role">What it does.</param>
    public ParameterRate Of(Parameter parameter, ParameterRole role) => new(
        !parameter.IsFrozen && role != ParameterRole.ChoiceBias ? LearningRate(KindOf(parameter, role)) : 0f,
        role is ParameterRole.Weight or ParameterRole.Router or ParameterRole.Embedding or ParameterRole.Adapter ? _config.Training.WeightDecay : 0f);

    /// <summary>Options that give a learning rate to none of some parameters, each with what there is none of.</summary>
    /// <param name="trained">What training may change.</param>
    public IEnumerable<(string Option, string Kind)> WithoutEffect(IReadOnlyCollection<(Parameter Parameter, ParameterRole Role)> trained)
    {
        var kinds = trained.Select(p => KindOf(p.Parameter, p.Role)).ToHashSet();
        foreach (var (option, rate, kind, name) in new[]
        {
            (nameof(_config.RouterLearningRate), _config.RouterLearningRate, Kind.Router, "routers"),
            (nameof(_config.ExpertLearningRate), _config.ExpertLearningRate, Kind.Expert, "experts"),
            (nameof(_config.EmbeddingLearningRate), _config.EmbeddingLearningRate, Kind.Embedding, "embedding tables"),
        })
        {
            var isFrozen = kind == Kind.Router && _config.Training.FreezeRouter;
            if (rate > 0f && !isFrozen && !kinds.Contains(kind))
                yield return (option, name);
        }
    }

    private Kind KindOf(Parameter parameter, ParameterRole role) =>
        role == ParameterRole.Adapter ? _ofAdapters[parameter] : KindOf(parameter.Name, role);

    private static Kind KindOf(string name, ParameterRole role) => role switch
    {
        _ when role == ParameterRole.Router || name.Contains(OfRouter, StringComparison.Ordinal) => Kind.Router,
        ParameterRole.Embedding => Kind.Embedding,
        _ when name == OfPositions => Kind.Embedding,
        _ => name.Contains(OfExperts, StringComparison.Ordinal) ? Kind.Expert : Kind.Other,
    };

    private float LearningRate(Kind kind) => kind switch
    {
        Kind.Router when _config.Training.FreezeRouter => 0f,
        Kind.Router => _config.RouterLearningRate,
        Kind.Expert => _config.ExpertLearningRate,
        Kind.Embedding => _config.EmbeddingLearningRate,
        _ => null,
    } ?? _config.Training.LearningRate;
}
