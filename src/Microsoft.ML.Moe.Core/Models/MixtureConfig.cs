using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// What MoE layers have beside router and experts, as published mixtures do, and as some ways to make a mixture of a dense encoder ask for.
/// By default nothing.
/// </summary>
internal sealed record MixtureConfig
{
    /// <summary>Hidden width of an expert that all tokens go to; 0 for none.</summary>
    public int SharedWidth { get; init => field = OptionCheck.Range(value, 0, 1 << 26, nameof(SharedWidth)); }

    /// <summary>Whether that one's output is weighted by a sigmoid for each token.</summary>
    public bool HasSharedGate { get; init; }

    /// <summary>Whether routers have a bias.</summary>
    public bool HasRouterBias { get; init; }

    /// <summary>Whether experts have a bias for the choice alone, in no weight (DeepSeek-V3).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool HasChoiceBias { get; init; }

    /// <summary>
    /// Whether experts have no second bias of their own, but there is one for all of them, which no router weighs: the shared expert's, or
    /// added to the sum.
    /// </summary>
    public bool SharesSecondBias { get; init; }

    /// <summary>Factor of the sum over the chosen experts.</summary>
    public float RoutedScale { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(RoutedScale)); } = 1f;

    /// <summary>The layer's settings.</summary>
    /// <param name="settings">Those without.</param>
    public MoeSettings Apply(MoeSettings settings)
    {
        var expert = settings.Expert;
        var sharesBias = SharesSecondBias && expert.AddsSecondBias;
        return settings with
        {
            Expert = sharesBias ? expert with { HasSecondBias = false } : expert,
            SharedForm = expert,
            SharedWidth = SharedWidth,
            HasSharedGate = HasSharedGate,
            HasRouterBias = HasRouterBias,
            HasChoiceBias = HasChoiceBias,
            HasOutputBias = settings.HasOutputBias || (sharesBias && SharedWidth == 0),
            RoutedScale = RoutedScale,
        };
    }
}
