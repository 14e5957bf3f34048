using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>What a policy has chosen, on the device.</summary>
internal sealed class Selection
{
    private readonly torch.Tensor? _isSelectedTE;

    /// <summary>Creates a selection of flags.</summary>
    /// <param name="isSelectedTE">[T, E], whether a token goes to an expert.</param>
    /// <param name="pairs">P, where the host knows it without asking the device.</param>
    /// <param name="weights">Rule of the pairs' weights.</param>
    /// <param name="isBroadcastT">[T], tokens that were sent to all experts; null where none can be.</param>
    public Selection(torch.Tensor isSelectedTE, int? pairs, CombineRule weights, torch.Tensor? isBroadcastT = null)
    {
        (Tokens, Experts) = ((int)isSelectedTE.shape[0], (int)isSelectedTE.shape[1]);
        (_isSelectedTE, Pairs, Weights, IsBroadcastT) = (isSelectedTE, pairs, weights, isBroadcastT);
    }

    /// <summary>Creates a selection of pairs, in any order.</summary>
    /// <param name="slotOfPair">[P], place of each pair in a matrix [E, T].</param>
    /// <param name="tokens">T.</param>
    /// <param name="experts">E.</param>
    /// <param name="weights">Rule of the pairs' weights.</param>
    public Selection(torch.Tensor slotOfPair, int tokens, int experts, CombineRule weights)
    {
        (Tokens, Experts) = (tokens, experts);
        (SlotOfPair, Pairs, Weights) = (slotOfPair, (int)slotOfPair.NumberOfElements, weights);
    }

    /// <summary>T.</summary>
    public int Tokens { get; }

    /// <summary>E.</summary>
    public int Experts { get; }

    /// <summary>[P] in any order, place of each pair in a matrix [E, T]; null where flags tell.</summary>
    public torch.Tensor? SlotOfPair { get; }

    /// <summary>P, where the host knows it without asking the device.</summary>
    public int? Pairs { get; }

    /// <summary>Rule of the pairs' weights.</summary>
    public CombineRule Weights { get; }

    /// <summary>[T], tokens that were sent to all experts; null where none can be.</summary>
    public torch.Tensor? IsBroadcastT { get; }

    /// <summary>[T, E], whether a token goes to an expert.</summary>
    public torch.Tensor IsSelectedTE => _isSelectedTE ?? torch
        .zeros([(long)Experts * Tokens], torch.ScalarType.Bool, SlotOfPair!.device)
        .index_fill_(0, SlotOfPair, Scalars.Of(1L))
        .reshape(Experts, Tokens)
        .transpose(0, 1);

    /// <summary>
    /// Lets a policy choose on the device. Choices are those of <see cref="RoutingPolicy.Route"/>, but for scores that differ by no more
    /// than the rounding of a double: exp and sums are not the host's to the last digit.
    /// </summary>
    /// <returns>null for a policy that chooses on the host.</returns>
    public static Selection? Of(
        TorchTape tape, torch.Tensor logitsTE, torch.Tensor? choiceBiasE, RoutingPolicy policy, SequenceLayout layout) => policy switch
    {
        TokenChoice choice when choice.MaskPadding || layout.Mask.IsEmpty =>
            TokenChoiceSelection.Of(tape, logitsTE, choiceBiasE, choice, layout),
        ExpertChoice choice => ExpertChoiceSelection.Of(tape, logitsTE, choice, layout),
        // A prefix's selection grows token by token.
        Unified { Scope: not RoutingScope.Prefix } unified => UnifiedSelection.Of(tape, logitsTE, unified, layout),
        GlobalWorkspace workspace when !tape.IsTraining => Of(tape, logitsTE, choiceBiasE, workspace.Inner, layout),
        // Which of two workspaces' tokens count depends on whether the outer one has any, which only the host could ask.
        GlobalWorkspace
        {
            Tokens: GlobalWorkspaceTokens.Uncertain, Rule: GlobalWorkspaceRule.Paper, MasksPadding: true, Inner: not GlobalWorkspace
        } workspace =>
            Of(tape, logitsTE, choiceBiasE, workspace.Inner, layout) is { } inner
                ? GlobalWorkspaceSelection.Of(tape, logitsTE, workspace, inner, layout)
                : null,
        _ => null,
    };
}
