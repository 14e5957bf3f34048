using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>What a policy has chosen, on the device.</summary>
/// <param name="IsSelectedTE">[T, E], whether a token goes to an expert.</param>
/// <param name="Pairs">P, where the host knows it without asking the device.</param>
/// <param name="Weights">Rule of the pairs' weights.</param>
/// <param name="IsBroadcastT">[T], tokens that were sent to all experts; null where none can be.</param>
internal sealed record Selection(
    torch.Tensor IsSelectedTE, int? Pairs, CombineRule Weights, torch.Tensor? IsBroadcastT = null)
{
    /// <summary>
    /// Lets a policy choose on the device. Choices are those of <see cref="RoutingPolicy.Route"/>, but for scores that differ by no more
    /// than the rounding of a double: exp and sums are not the host's to the last digit.
    /// </summary>
    /// <returns>null for a policy that chooses on the host.</returns>
    public static Selection? Of(TorchTape tape, torch.Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout) => policy switch
    {
        TokenChoice choice => TokenChoiceSelection.Of(tape, logitsTE, choice, layout),
        ExpertChoice choice => ExpertChoiceSelection.Of(tape, logitsTE, choice, layout),
        Unified unified => UnifiedSelection.Of(tape, logitsTE, unified, layout),
        GlobalWorkspace workspace when !tape.IsTraining => Of(tape, logitsTE, workspace.Inner, layout),
        // Which of two workspaces' tokens count depends on whether the outer one has any, which only the host could ask.
        GlobalWorkspace { Rule: GlobalWorkspaceRule.Paper, Tokens: GlobalWorkspaceTokens.Uncertain, Inner: not GlobalWorkspace } workspace =>
            Of(tape, logitsTE, workspace.Inner, layout) is { } inner
                ? GlobalWorkspaceSelection.Of(tape, logitsTE, workspace, inner, layout)
                : null,
        _ => null,
    };
}
