using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors;

// Routers and experts.
public abstract partial class Tape
{
    /// <summary>
    /// x·router + bias, in single precision whatever precision the engine takes for other products: choices are discrete, and rounded logits
    /// would change them (Fedus et al. 2021, "Switch Transformers", section 2.4, "selective precision").
    /// </summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="routerDE">[D, E].</param>
    /// <param name="biasE">[E], or null for none.</param>
    /// <returns>[T, E] router logits.</returns>
    public Tensor RouterLogits(Tensor xTD, Tensor routerDE, Tensor? biasE = null)
    {
        Begin();
        Use(xTD);
        Use(routerDE);
        UseIfGiven(biasE);
        Check.Rank(xTD, 2);
        CheckProduct(xTD, routerDE);
        if (biasE is not null)
            Check.Shape(biasE, [routerDE.Shape[1]]);
        return RouterLogitsCore(xTD, routerDE, biasE);
    }

    /// <summary>Lets a policy choose experts for tokens. Selection is discrete: no gradient flows through it.</summary>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="choiceBiasE">
    /// [E], what each expert's score is raised by for the choice alone, not for the weight (DeepSeek-V3's e_score_correction_bias); null for
    /// nothing. Of this library's policies <see cref="TokenChoice"/> looks at it.
    /// </param>
    public RoutingPlan Route(Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout, Tensor? choiceBiasE = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(layout);
        Begin();
        Use(logitsTE);
        Check.Tokens(logitsTE, layout);
        UseIfGiven(choiceBiasE);
        if (choiceBiasE is not null)
            Check.Shape(choiceBiasE, [logitsTE.Columns]);
        return RouteCore(logitsTE, policy, layout, choiceBiasE);
    }

    /// <summary>The weights with which a plan's pairs enter the sum over experts, as a differentiable function of the logits.</summary>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="plan">The pairs and the rule of their weights.</param>
    /// <returns>[P], in the plan's order.</returns>
    public Tensor CombineWeights(Tensor logitsTE, RoutingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Begin();
        Use(logitsTE);
        Check.Shape(logitsTE, [plan.Tokens, plan.Experts]);
        Check.Plan(plan);
        return CombineWeightsCore(logitsTE, plan);
    }

    /// <summary>
    /// The experts over a routing plan: result[t] = Σ over pairs (t, e) of weight·expert_e(x[t]); 0 for a token without pairs.
    /// </summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="weightsP">[P] from <see cref="CombineWeights"/>.</param>
    /// <param name="plan">The pairs.</param>
    /// <param name="experts">Stacked weights and activation.</param>
    /// <returns>[T, D].</returns>
    public Tensor GroupedExperts(Tensor xTD, Tensor weightsP, RoutingPlan plan, Experts experts)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(experts);
        Begin();
        Use(xTD);
        Use(weightsP);
        Use(experts.W1);
        UseIfGiven(experts.B1);
        Use(experts.W2);
        UseIfGiven(experts.B2);
        UseIfGiven(experts.Gate);
        UseIfGiven(experts.GateBias);
        Check.Experts(experts);
        Check.Shape(xTD, [plan.Tokens, experts.Width]);
        Check.Shape(weightsP, [plan.Pairs]);
        Check.Plan(plan);
        if (plan.Experts != experts.Count)
        {
            throw new ArgumentException(
                $"GroupedExperts: a plan for {plan.Experts} experts does not fit {experts.Count} experts.", nameof(plan));
        }

        return GroupedExpertsCore(xTD, weightsP, plan, experts);
    }

    /// <summary>
    /// Each pair's token times its expert's matrix, as projections of a mixture in attention are (Zhang et al. 2022, "Mixture of attention
    /// heads"): result[p] = x[token of p]·weight[expert of p].
    /// </summary>
    /// <param name="xTI">[T, I].</param>
    /// <param name="weightEIO">[E, I, O].</param>
    /// <param name="plan">The pairs.</param>
    /// <returns>[P, O], in the plan's order.</returns>
    public Tensor ExpertLinear(Tensor xTI, Tensor weightEIO, RoutingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Begin();
        Use(xTI);
        Use(weightEIO);
        Check.Rank(weightEIO, 3);
        Check.Shape(xTI, [plan.Tokens, weightEIO.Shape[1]]);
        Check.Plan(plan);
        if (plan.Experts != weightEIO.Shape[0])
        {
            throw new ArgumentException(
                $"ExpertLinear: a plan for {plan.Experts} experts does not fit weightEIO {Check.Text(weightEIO.Shape)}.", nameof(plan));
        }

        return ExpertLinearCore(xTI, weightEIO, plan);
    }

    /// <summary>
    /// What a plan's pairs give their tokens: result[t] = Σ over the token's pairs, by ascending expert, of weight·y[pair]; 0 for a token
    /// without pairs. The last part of <see cref="GroupedExperts"/>, for experts that are computed otherwise.
    /// </summary>
    /// <param name="yPD">[P, D], what the experts have made, in the plan's order.</param>
    /// <param name="weightsP">[P] from <see cref="CombineWeights"/>.</param>
    /// <param name="plan">The pairs.</param>
    /// <returns>[T, D].</returns>
    public Tensor SumPairs(Tensor yPD, Tensor weightsP, RoutingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Begin();
        Use(yPD);
        Use(weightsP);
        Check.Rank(yPD, 2);
        Check.Shape(yPD, [plan.Pairs, yPD.Columns]);
        Check.Shape(weightsP, [plan.Pairs]);
        Check.Plan(plan);
        return SumPairsCore(yPD, weightsP, plan);
    }

    /// <inheritdoc cref="RouterLogits"/>
    protected abstract Tensor RouterLogitsCore(Tensor xTD, Tensor routerDE, Tensor? biasE);

    /// <inheritdoc cref="Route"/>
    protected abstract RoutingPlan RouteCore(Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout, Tensor? choiceBiasE);

    /// <inheritdoc cref="CombineWeights"/>
    protected abstract Tensor CombineWeightsCore(Tensor logitsTE, RoutingPlan plan);

    /// <inheritdoc cref="ExpertLinear"/>
    protected abstract Tensor ExpertLinearCore(Tensor xTI, Tensor weightEIO, RoutingPlan plan);

    /// <inheritdoc cref="SumPairs"/>
    protected abstract Tensor SumPairsCore(Tensor yPD, Tensor weightsP, RoutingPlan plan);

    /// <inheritdoc cref="GroupedExperts"/>
    protected abstract Tensor GroupedExpertsCore(Tensor xTD, Tensor weightsP, RoutingPlan plan, Experts experts);
}
