using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>
/// Rows of which a router decides between scores that are nearer than single precision tells. The model's own policies say which: their
/// choice is another one when the logits are changed by as little as rounding changes them. Only such rows may be scored differently.
/// </summary>
internal static class NearTies
{
    /// <summary>What rounding, over a few layers, does to a logit of at most 1.</summary>
    private const float Rounding = 1e-5f;

    /// <summary>Of two scores that are that near, each of these exchanges the order with a probability of a quarter.</summary>
    private const int Draws = 32;

    /// <summary>Numbers of such rows; none of a model without routers that choose.</summary>
    /// <param name="model">The model, or several with one mean.</param>
    /// <param name="rows">Rows, encoded by its input.</param>
    public static HashSet<int> Of<TRow>(Model<TRow> model, IReadOnlyList<TRow> rows)
    {
        var found = new HashSet<int>();
        var further = (object?)model.Branch is FurtherNetworks networks ? (IReadOnlyList<Model<TRow>>)networks.Networks : [];
        foreach (var network in further.Prepend(model))
        {
            if (network.Config.Encoder.MoeLayers == 0 || network.Router.Kind == RouterKind.Soft)
                continue;
            var seen = new Dictionary<int, int>();
            var watched = new Model<TRow>(
                network.Engine,
                network.Config,
                network.Input,
                new ParameterStore(network.Parameters),
                policies: (block, own) => new Watched(network.Policies?.Invoke(block, own) ?? own, block, seen, found));
            watched.Score(rows, new float[rows.Count * watched.Outputs]);
        }

        return found;
    }

    /// <summary>Routes as another policy does, and notes the rows that it would route otherwise by a hair.</summary>
    /// <param name="own">The other policy.</param>
    /// <param name="block">The block that it routes in.</param>
    /// <param name="seen">Rows that each block has routed so far.</param>
    /// <param name="found">Receives numbers of rows.</param>
    private sealed class Watched(RoutingPolicy own, int block, Dictionary<int, int> seen, HashSet<int> found) : RoutingPolicy
    {
        internal override bool MasksPadding => own.MasksPadding;

        internal override int ScratchBytes(int tokens, int experts) => own.ScratchBytes(tokens, experts);

        public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
            PlanOfChosen(logitsTE, [], experts, layout, training);

        internal override PlanTerms Choose(
            ReadOnlySpan<float> logitsTE,
            ReadOnlySpan<float> choiceBiasE,
            SequenceLayout layout,
            bool training,
            PairMatrix pairs,
            RoutingScratch scratch)
        {
            var (first, experts, random) = (seen.GetValueOrDefault(block), pairs.Experts, new Random(block));
            var rowOfToken = new int[layout.Tokens];
            for (var sequence = 0; sequence < layout.Sequences; sequence++)
                rowOfToken.AsSpan(layout.Offsets[sequence]..layout.Offsets[sequence + 1]).Fill(first + sequence / layout.SequencesOfRow);
            var chosen = Pairs(own.PlanOf(logitsTE, choiceBiasE, experts, layout, training));
            var moved = new float[logitsTE.Length];
            for (var draw = 0; draw < Draws; draw++)
            {
                for (var i = 0; i < moved.Length; i++)
                    moved[i] = logitsTE[i] + (random.Next(2) == 0 ? Rounding : -Rounding) * Math.Max(1f, Math.Abs(logitsTE[i]));
                var differing = Pairs(own.PlanOf(moved, choiceBiasE, experts, layout, training));
                differing.SymmetricExceptWith(chosen);
                foreach (var (token, _) in differing)
                    found.Add(rowOfToken[token]);
            }

            seen[block] = first + layout.Sequences / layout.SequencesOfRow;
            return own.Choose(logitsTE, choiceBiasE, layout, training, pairs, scratch);
        }

        private static HashSet<(int Token, int Expert)> Pairs(RoutingPlan plan) =>
            [.. Enumerable.Range(0, plan.Experts).SelectMany(expert => plan.TokensOf(expert).ToArray().Select(token => (token, expert)))];
    }
}
