using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Models;

/// <summary>Kinds of matrices of a model that adapters can be put beside.</summary>
[Flags]
public enum AdaptedLayers
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Projections of attention: queries, keys, values, outputs, those of experts in attention included.</summary>
    Attention = 1,

    /// <summary>Experts of MoE layers, those that all tokens go to included.</summary>
    Experts = 2,

    /// <summary>Dense feed-forward networks.</summary>
    Dense = 4,

    /// <summary>Routers.</summary>
    Router = 8,

    /// <summary>All but routers: attention, experts and dense feed-forward networks.</summary>
    AllLinear = Attention | Experts | Dense,

    /// <summary>All, routers too.</summary>
    Everything = AllLinear | Router,
}

/// <summary>
/// Low-rank adaptation (Hu et al. 2021, "LoRA: Low-rank adaptation of large language models", arXiv 2106.09685): the model's weights stay as
/// they are, in whatever precision they are held, and beside some of its matrices two narrow ones learn,
/// <code>
/// y = W·x + scaling·B·A·dropout(x)         A [rank, inputs], B [outputs, rank]
/// </code>
/// A begins at random, evenly distributed within ±1/√inputs, and B at 0: an adapted model begins as the model that it adapts, to the bit.
/// The settings and the names of matrices are those of the library peft, whose adapters can be read and written.
/// </summary>
/// <remarks>
/// The defaults adapt all linear layers: with attention alone adapters stay behind, whatever their rank (Dettmers et al. 2023, "QLoRA",
/// arXiv 2305.14314, section 4 and figure 2), and a mixture has most of its weights in its experts.
/// </remarks>
public sealed record LowRankAdaptation
{
    /// <summary>Rank of the adapters, r. Within [1, 4096]. Default 8.</summary>
    public int Rank { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(Rank)); } = 8;

    /// <summary>Scaling of what adapters add, α: they are scaled by α/r, or α/√r. Over 0. Default 16.</summary>
    public float Alpha { get; init => field = OptionCheck.Positive(value, nameof(Alpha)); } = 16f;

    /// <summary>
    /// Whether adapters are scaled by α/√r, with which larger ranks learn as fast (Kalajdzievski 2023, "A rank stabilization scaling factor for
    /// fine-tuning with LoRA", arXiv 2312.03732). Default false.
    /// </summary>
    public bool ScalesByRoot { get; init; }

    /// <summary>Share of the elements of adapters' inputs that are dropped while training. Within [0, 1). Default 0.</summary>
    public float Dropout { get; init => field = OptionCheck.Rate(value, nameof(Dropout)); }

    /// <summary>What is adapted, where neither <see cref="Targets"/> nor <see cref="TargetParameters"/> say so. Default all but routers.</summary>
    public AdaptedLayers Layers
    {
        get;
        init => field = value is > AdaptedLayers.None and <= AdaptedLayers.Everything
            ? value
            : throw new ArgumentOutOfRangeException(nameof(Layers), value, $"{nameof(Layers)} must be one or more of {nameof(AdaptedLayers)}.");
    } = AdaptedLayers.AllLinear;

    /// <summary>
    /// Names of the published model's modules to adapt, such as <c>q_proj</c>, <c>mlp.gate</c> or <c>wi</c>: all modules with this name, or whose
    /// names end with a dot and this. Default none.
    /// </summary>
    public IReadOnlyList<string> Targets { get; init => field = Names(value, nameof(Targets)); } = [];

    /// <summary>
    /// Names of the published model's tensors to adapt that are no linear layers, such as <c>mlp.experts.gate_up_proj</c>, the matrices of all
    /// experts in one; matched as <see cref="Targets"/> are. Default none.
    /// </summary>
    public IReadOnlyList<string> TargetParameters { get; init => field = Names(value, nameof(TargetParameters)); } = [];

    /// <summary>
    /// Other ranks of some matrices: by name as in <see cref="Targets"/>, or by a regular expression for the end of the name. Default none.
    /// </summary>
    public IReadOnlyDictionary<string, int> Ranks
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            foreach (var (name, rank) in value)
                OptionCheck.Range(rank, 1, 4096, $"{nameof(Ranks)}['{name}']");
            field = value;
        }
    } = new Dictionary<string, int>();

    /// <summary>Other values of <see cref="Alpha"/> of some matrices, by name as <see cref="Ranks"/>. Default none.</summary>
    public IReadOnlyDictionary<string, float> Alphas
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            foreach (var (name, alpha) in value)
                OptionCheck.Positive(alpha, $"{nameof(Alphas)}['{name}']");
            field = value;
        }
    } = new Dictionary<string, float>();

    /// <summary>Whether names say what is adapted.</summary>
    [JsonIgnore]
    internal bool HasNames => Targets.Count + TargetParameters.Count > 0;

    /// <summary>Factor of what an adapter adds.</summary>
    /// <param name="rank">Its rank.</param>
    /// <param name="alpha">Its α.</param>
    internal float Scaling(int rank, float alpha) => ScalesByRoot ? alpha / MathF.Sqrt(rank) : alpha / rank;

    private static IReadOnlyList<string> Names(IReadOnlyList<string> names, string option)
    {
        ArgumentNullException.ThrowIfNull(names, option);
        if (names.Any(string.IsNullOrWhiteSpace))
            throw new ArgumentException($"{option}: a name is empty.", option);
        return names;
    }
}
