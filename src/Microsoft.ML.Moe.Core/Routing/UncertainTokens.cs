using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>Finds the tokens whose router is uncertain, or as many at random.</summary>
/// <param name="EntropyThreshold">H*, in nats: a token is uncertain when its router entropy is at least this; 0 or less, all are.</param>
/// <param name="MaxTokensPerSequence">Only the first so many of each sequence, by position, count; null for all.</param>
/// <param name="Tokens">Those tokens, or as many of each sequence at random.</param>
/// <param name="Seed">Seed of the random tokens.</param>
/// <param name="MaskPadding">Whether padding never is one.</param>
internal readonly record struct UncertainTokens(
    double EntropyThreshold, int? MaxTokensPerSequence, GlobalWorkspaceTokens Tokens, int Seed, bool MaskPadding = true)
{
    /// <summary>Bytes that <see cref="Find"/> has to be lent.</summary>
    public static int ScratchBytes(int tokens) => RoutingScratch.BytesOf<(ulong Hash, int Token)>(tokens);

    /// <summary>Flags the uncertain tokens.</summary>
    /// <param name="logitsTE">[T, E] router logits, row-major.</param>
    /// <param name="experts">Number of experts, E.</param>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="found">Takes one flag for each token.</param>
    /// <param name="scratch">Memory for its own use.</param>
    /// <returns>Whether there is one.</returns>
    public bool Find(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, Span<bool> found, RoutingScratch scratch)
    {
        found.Clear();
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            var (start, end) = (layout.Offsets[sequence], layout.Offsets[sequence + 1]);
            var slots = MaxTokensPerSequence ?? int.MaxValue;
            var count = 0;
            for (var token = start; token < end && count < slots; token++)
            {
                if (!MayBe(layout, token) || !IsUncertain(logitsTE.Slice(token * experts, experts)))
                    continue;
                found[token] = true;
                count++;
            }

            if (Tokens == GlobalWorkspaceTokens.Random && count > 0)
            {
                found[start..end].Clear();
                Draw(logitsTE, experts, layout, start, end, count, found, scratch);
            }
        }

        return found.Contains(true);
    }

    private bool MayBe(SequenceLayout layout, int token) => !MaskPadding || layout.IsToken(token);

    // a router that is sure has an entropy of −1e-5 by the formula, a little below 0
    private bool IsUncertain(ReadOnlySpan<float> logitsE) => EntropyThreshold <= 0 || RouterEntropy.Of(logitsE) >= EntropyThreshold;

    /// <summary>Marks the tokens of a sequence with the smallest hashes.</summary>
    private void Draw(
        ReadOnlySpan<float> logitsTE,
        int experts,
        SequenceLayout layout,
        int start,
        int end,
        int count,
        Span<bool> found,
        RoutingScratch scratch)
    {
        var draws = scratch.Take<(ulong Hash, int Token)>(end - start);
        var candidates = 0;
        for (var token = start; token < end; token++)
            if (MayBe(layout, token))
                draws[candidates++] = (TokenHash.Of(logitsTE.Slice(token * experts, experts), Seed), token);
        draws[..candidates].Sort();
        foreach (var (_, token) in draws[..count])
            found[token] = true;
    }
}
