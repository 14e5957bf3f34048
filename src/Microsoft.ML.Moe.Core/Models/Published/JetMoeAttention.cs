using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// JetMoE's mixture in attention (Shen et al. 2024, section 2.3; Zhang et al. 2022, "Mixture of attention heads"): experts have projections of
/// queries and of what these attend to, keys and values are the same for all:
/// <code>
/// p = softmax over the top k of router·x
/// q = Wqₑ·x for each of the token's k experts, G heads;  k, v = Wk·x, Wv·x, G heads
/// y = Σ p·Woₑ·attention(q, k, v) + bias
/// </code>
/// </summary>
internal sealed class JetMoeAttention : IAttention
{
    private readonly string _name;
    private readonly int _block;
    private readonly CausalAttentionSettings _settings;
    private readonly TokenChoice _policy;
    private readonly RouterMatrix _router;
    private readonly ExpertMatrix _queries;
    private readonly ExpertMatrix _output;
    private readonly Linear _keys;
    private readonly Linear _values;
    private readonly Parameter _bias1D;

    /// <summary>Makes the projections.</summary>
    /// <param name="store">Makes them.</param>
    /// <param name="name">What their names begin with.</param>
    /// <param name="block">Number of the block.</param>
    /// <param name="config">Widths, and the router.</param>
    /// <param name="settings">Heads and frequencies.</param>
    public JetMoeAttention(ParameterStore store, string name, int block, JetMoeConfig config, CausalAttentionSettings settings)
    {
        (_name, _block, _settings) = (name, block, settings);
        _policy = new TokenChoice(config.Heads / config.KeyValueHeads, normalizeWeights: true);
        var (e, d, k) = (config.Experts, config.Width, config.KeyValueHeads * config.HeadWidth);
        var (deviationOfD, deviationOfK) = (1f / MathF.Sqrt(d), 1f / MathF.Sqrt(k));
        _router = new RouterMatrix(store, name + ".router.weight", d, e);
        _queries = new ExpertMatrix(store, name + ".experts.queries", deviationOfD, e, d, k);
        _output = new ExpertMatrix(store, name + ".experts.output", deviationOfK, e, k, d);
        _keys = new Linear(store, name + ".keys", d, k, hasBias: false);
        _values = new Linear(store, name + ".values", d, k, hasBias: false);
        _bias1D = store.Constant(name + ".bias", ParameterRole.Bias, 0f, 1, d);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">There is padding among the tokens.</exception>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var (tape, spec, tokens) = (context.Tape, _settings.Spec, xTD.Shape[0]);
        if (!context.Layout.Mask.IsEmpty)
            throw new InvalidOperationException("JetMoE's attention takes sequences without padding.");
        var logitsTE = _router.Logits(tape, xTD);
        // Its own policy, whatever the MoE layers are routed by while training with a global workspace or after re-routing: another one could
        // give a token more or fewer experts, and then other heads than the keys have.
        var plan = tape.Route(logitsTE, _policy, context.Layout);
        var experts = new Experts(_queries.WeightEIO, null, _output.WeightEIO, null, Activation.None);
        context.Observer?.OnAttentionRouted(new RoutedLayer(_block, tape, xTD, logitsTE, plan, context.Layout, experts));

        var places = new Places(plan, spec.KeyValueHeads);
        var positions = context.Positions();
        var qTD = places.ToTokens(tape, _queries.Forward(tape, xTD, plan));
        qTD = tape.Rotary(qTD, positions, spec.Heads, _settings.Rotary!);
        var kTD = tape.Rotary(_keys.Forward(tape, xTD), positions, spec.KeyValueHeads, _settings.Rotary!);
        var oTD = context.CausalAttention(_name, qTD, kTD, _values.Forward(tape, xTD), spec);

        var oPD = _output.Forward(tape, places.ToPairs(tape, oTD), plan.OfPairs());
        var sumTD = tape.SumPairs(oPD, tape.CombineWeights(logitsTE, plan), plan);
        return tape.Add(sumTD, tape.Embedding(_bias1D, new int[tokens]));
    }

    /// <summary>
    /// Where the heads of a token's pairs stand: those that share a head of keys and values side by side, as
    /// <see cref="AttentionSpec.KeyValueHeads"/> has them.
    /// </summary>
    private sealed class Places
    {
        private readonly int _tokens;
        private readonly int _pairs;
        private readonly int[] _rowOfHead;
        private readonly int[] _headOfRow;

        /// <param name="plan">As many pairs for each token.</param>
        /// <param name="groups">Heads of a pair.</param>
        public Places(RoutingPlan plan, int groups)
        {
            (_tokens, _pairs) = (plan.Tokens, plan.Pairs);
            var ofToken = plan.Tokens == 0 ? 0 : plan.Pairs / plan.Tokens;
            _rowOfHead = new int[plan.Pairs * groups];
            _headOfRow = new int[plan.Pairs * groups];
            var sorted = plan.ByToken.Sorted;
            for (var place = 0; place < plan.Pairs; place++)
            {
                var (token, slot) = (place / ofToken, place % ofToken);
                for (var group = 0; group < groups; group++)
                {
                    var (head, row) = ((token * groups + group) * ofToken + slot, sorted[place] * groups + group);
                    (_rowOfHead[head], _headOfRow[row]) = (row, head);
                }
            }

        }

        /// <summary>Heads of pairs, [P, G·K], to those of tokens, [T, H·K].</summary>
        public Tensor ToTokens(Tape tape, Tensor xPK) => Move(tape, xPK, _rowOfHead, _tokens);

        /// <summary>Heads of tokens, [T, H·K], to those of pairs, [P, G·K].</summary>
        public Tensor ToPairs(Tape tape, Tensor xTD) => Move(tape, xTD, _headOfRow, _pairs);

        private static Tensor Move(Tape tape, Tensor x, int[] sources, int rows)
        {
            if (sources.Length == 0)
                return x;
            var headWidth = x.Length / sources.Length;
            var moved = tape.Embedding(tape.Reshape(x, sources.Length, headWidth), sources);
            return tape.Reshape(moved, rows, x.Length / rows);
        }
    }
}
