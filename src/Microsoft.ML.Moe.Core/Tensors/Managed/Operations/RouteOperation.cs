using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Lets a policy route; runs of sequences on all workers where it routes sequences apart.</summary>
internal static unsafe class RouteOperation
{
    /// <summary>A run has about so many logits, so that it is worth waking a thread for.</summary>
    private const int LogitsOfRun = 4096;

    /// <summary>Choosing takes about as long for each logit as reading so many floats.</summary>
    private const int FloatsPerLogit = 16;

    public static RoutingPlan Forward(
        ManagedTape tape, ManagedTensor logitsTE, RoutingPolicy policy, SequenceLayout layout, ManagedTensor? choiceBiasE)
    {
        var experts = logitsTE.Columns;
        var runs = tape.Runs;
        runs.Divide(layout, policy.RoutesSequencesApart && tape.Workers.Threads > 1 ? LogitsOfRun / experts : int.MaxValue);
        // on a tape of a caller's own, the policy's very plan
        if (runs.Count == 1 && !tape.IsLeased)
        {
            return policy.PlanOf(
                new ReadOnlySpan<float>(logitsTE.Data, logitsTE.Length), Bias(choiceBiasE, experts), experts, layout, tape.IsTraining);
        }

        var flags = PairMatrix.LengthOf(layout.Tokens, experts);
        var memory = (bool*)tape.Scratch.Allocate((flags + sizeof(float) - 1) / sizeof(float));
        var pairs = new PairMatrix(new Span<bool>(memory, flags), layout.Tokens, experts);
        var terms = (PlanTerms*)tape.Scratch.Allocate((long)runs.Count * sizeof(PlanTerms) / sizeof(float));
        var scratchBytes = policy.ScratchBytes(runs.MostTokens, experts);
        // one run stays with the caller
        var threads = runs.Count > 1 ? tape.Workers.Threads : 1;
        var scratch = (byte*)tape.Scratch.Allocate((long)threads * scratchBytes / sizeof(float));
        var body = new RouteRun(
            policy, runs, logitsTE.Data, choiceBiasE, memory, layout.Tokens, experts, tape.IsTraining, terms, scratch, scratchBytes);
        tape.Workers.Run(runs.Count, (long)FloatsPerLogit * logitsTE.Length, body);
        var all = terms[0];
        for (var run = 1; run < runs.Count; run++)
            all = all.With(terms[run]);
        return pairs.ToPlan(all, tape.NewPlan());
    }

    private static ReadOnlySpan<float> Bias(ManagedTensor? choiceBiasE, int experts) =>
        choiceBiasE is null ? [] : new ReadOnlySpan<float>(choiceBiasE.Data, experts);

    private readonly struct RouteRun(
        RoutingPolicy policy,
        SequenceRuns runs,
        float* logitsTE,
        ManagedTensor? choiceBiasE,
        bool* memory,
        int tokens,
        int experts,
        bool training,
        PlanTerms* terms,
        byte* scratch,
        int scratchBytes)
        : ILoopBody
    {
        public void Run(int run, int worker)
        {
            var (first, layout) = runs[run];
            var logits = new ReadOnlySpan<float>(logitsTE + (long)first * experts, layout.Tokens * experts);
            var pairs = PairMatrix.Over(new Span<bool>(memory, PairMatrix.LengthOf(tokens, experts)), tokens, experts);
            var own = new RoutingScratch(new Span<byte>(scratch + (long)worker * scratchBytes, scratchBytes));
            terms[run] = policy.Choose(logits, Bias(choiceBiasE, experts), layout, training, pairs.Slice(first, layout.Tokens), own);
        }
    }
}
