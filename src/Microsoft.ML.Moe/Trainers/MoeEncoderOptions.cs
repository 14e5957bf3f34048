using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

/// <summary>What the trainers have in common that make a model of their own: its encoder's architecture.</summary>
public abstract class MoeEncoderOptions : MoeTrainerOptions
{
    private protected MoeEncoderOptions()
    {
    }

    /// <summary>Width of token vectors, D. Within [8, 4096], divisible by <see cref="Heads"/>. Default 128.</summary>
    public int Width { get; set; } = 128;

    /// <summary>Number of transformer blocks. Within [0, 48]; 0 pools the token vectors as they are. Default 2.</summary>
    [Choice(1, 2, 3)]
    public int Layers { get; set; } = 2;

    /// <summary>Attention heads, H; divides <see cref="Width"/>. Default 4.</summary>
    public int Heads { get; set; } = 4;

    /// <summary>
    /// Every n-th block has a MoE layer in place of the dense feed-forward network: 1 all, 2 every second beginning with the
    /// second, 0 none. Within [0, 48]. Default 1.
    /// </summary>
    public int MoeEvery { get; set; } = 1;

    /// <summary>
    /// How many of the blocks that <see cref="MoeEvery"/> tells have a MoE layer, the last ones: V-MoE's "last 2" is 2 with
    /// <see cref="MoeEvery"/> = 2 (Riquelme et al. 2021). Within [1, 48]; null, the default, for all of them.
    /// </summary>
    public int? MoeLast { get; set; }

    /// <summary>Experts in a MoE layer, N. Within [1, 1024]. Default 4.</summary>
    [Choice(4, 8)]
    public int Experts { get; set; } = 4;

    /// <summary>
    /// How tokens and experts find each other: each token takes its best experts, each expert its best tokens, or the best pairs of
    /// all are taken (USMoE, arXiv 2503.22996), or each expert works on means of all tokens (<see cref="Router.Soft"/>). Default
    /// <see cref="Router.TokenChoice"/> with two experts for each token.
    /// </summary>
    public Router Router { get; set; } = Router.TokenChoice();

    /// <summary>
    /// Width of one expert, F; a dense block is k times as wide, so that both cost the same (k: the router's experts for each token).
    /// Within [8, 65536]. Default 256.
    /// </summary>
    public int ExpertWidth { get; set; } = 256;

    /// <summary>Coefficient of the load-balancing loss (Fedus et al. 2021), within [0, 1000]. Default 0.01.</summary>
    public float LoadBalancingCoefficient { get; set; } = 0.01f;

    /// <summary>Coefficient of the router z-loss (Zoph et al. 2022), within [0, 1000]. Default 0.</summary>
    public float RouterZLossCoefficient { get; set; }

    /// <summary>
    /// Coefficient of the importance loss, the squared coefficient of variation of the experts' summed probabilities (Shazeer et al. 2017);
    /// 0.005 in V-MoE, beside <see cref="LoadCoefficient"/> and without <see cref="LoadBalancingCoefficient"/>. Within [0, 1000]. Default
    /// 0.
    /// </summary>
    public float ImportanceCoefficient { get; set; }

    /// <summary>
    /// Coefficient of the load loss, the same of the experts' probabilities of being chosen were the logits perturbed a little (Riquelme
    /// et al. 2021, appendix A.2); 0.005 in V-MoE. Within [0, 1000]. Default 0.
    /// </summary>
    public float LoadCoefficient { get; set; }

    /// <summary>Dropout rate inside the encoder, within [0, 1). Default 0.2 for text classifiers, 0.1 elsewhere.</summary>
    [Range(0f, 0.4f, 0.1f)]
    public float Dropout { get; set; } = 0.1f;

    /// <summary>Whether the options tell if there are MoE layers, and not an earlier model.</summary>
    private protected virtual bool DecidesArchitecture => true;

    /// <summary>Options of the architecture, which an earlier model or a published encoder takes the place of.</summary>
    private protected virtual string[] OfArchitecture =>
        [nameof(Width), nameof(Layers), nameof(Heads), nameof(MoeEvery), nameof(Experts), nameof(Router), nameof(ExpertWidth)];

    /// <summary>Options of routers and experts, which a model without MoE layers has none of.</summary>
    private protected virtual string[] OfRouting => [nameof(LoadBalancingCoefficient), nameof(RouterZLossCoefficient)];

    internal override IEnumerable<(string Option, string Reason)> WithoutEffect()
    {
        foreach (var option in base.WithoutEffect())
            yield return option;
        if (DecidesArchitecture && ToEncoderConfig().MoeLayers == 0)
        {
            foreach (var option in Changed([.. OfRouting, nameof(Experts)]))
                yield return (option, $"there are no MoE layers with {nameof(Layers)} = {Layers} and {nameof(MoeEvery)} = {MoeEvery}");
        }
    }

    /// <summary>The architecture.</summary>
    internal EncoderConfig ToEncoderConfig() => new()
    {
        Width = Width,
        Layers = Layers,
        Heads = Heads,
        MoeEvery = MoeEvery,
        MoeAt = MoeLast is { } last ? LastBlocks(OptionCheck.Range(last, 1, 48, nameof(MoeLast))) : null,
        Experts = Experts,
        Router = Router,
        ExpertWidth = ExpertWidth,
        LoadBalancingCoefficient = LoadBalancingCoefficient,
        RouterZLossCoefficient = RouterZLossCoefficient,
        ImportanceCoefficient = ImportanceCoefficient,
        LoadCoefficient = LoadCoefficient,
        Dropout = Dropout,
    };

    private protected override void Check(TrainingConfig training)
    {
        var encoder = ToEncoderConfig();
        training.Check(DecidesArchitecture ? encoder.Check() : encoder);
        if (DecidesArchitecture)
            TrainingMemory.Check(encoder);
    }

    private BlockNumbers LastBlocks(int last) =>
        new(Enumerable.Range(0, Math.Max(0, Layers)).Where(block => MoeEvery > 0 && (block + 1) % MoeEvery == 0).TakeLast(last));
}
