using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Lets a policy route; runs of sequences on all workers where it routes sequences apart.</summary>
internal static unsafe class RouteOperation
{
    /// <summary>A run has about so many logits, so that it is worth waking a thread for.</summary>
    private const int LogitsOfRun = 4096;

    /// <summary>Choosing takes about as long for each logit as reading so many floats.</summary>
    private const int FloatsPerLogit = 16;

    public static RoutingPlan Forward(ManagedTape tape, ManagedTensor logitsTE, RoutingPolicy policy, SequenceLayout layout)
    {
        Check.Tokens(logitsTE, layout);
        var experts = logitsTE.Columns;
        var starts = policy.RoutesSequencesApart && tape.Workers.Threads > 1 ? Runs(layout, LogitsOfRun / experts) : [0, layout.Sequences];
        var plans = new RoutingPlan[starts.Count - 1];
        if (plans.Length <= 1)
            return policy.Route(new ReadOnlySpan<float>(logitsTE.Data, logitsTE.Length), experts, layout, tape.IsTraining);
        tape.Workers.Run(plans.Length, (long)FloatsPerLogit * logitsTE.Length, (run, _) =>
        {
            var part = layout.Part(starts[run], starts[run + 1] - starts[run]);
            var first = (long)layout.Offsets[starts[run]] * experts;
            plans[run] = policy.Route(new ReadOnlySpan<float>(logitsTE.Data + first, part.Tokens * experts), experts, part, tape.IsTraining);
        });
        return RoutingPlan.Join(plans);
    }

    /// <summary>First sequences of runs of at least so many tokens each, and the number of sequences.</summary>
    private static List<int> Runs(SequenceLayout layout, int tokens)
    {
        List<int> starts = [0];
        for (var sequence = 1; sequence < layout.Sequences; sequence++)
            if (layout.Offsets[sequence] - layout.Offsets[starts[^1]] >= tokens)
                starts.Add(sequence);
        starts.Add(layout.Sequences);
        return starts;
    }
}
