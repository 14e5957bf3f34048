using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// One forward pass and, when training, its backward pass: the operation vocabulary that every model is written in. Results belong
/// to the tape and die with it. A tape is used by one thread.
/// Letters in shapes: T tokens of a packed batch, B sequences, D width, I/O width in and out, E experts, F expert width, H heads,
/// C classes, V table rows, P token–expert pairs of a routing plan.
/// </summary>
/// <remarks>Shapes that do not fit raise <see cref="ArgumentException"/>, indices out of range
/// <see cref="ArgumentOutOfRangeException"/>.</remarks>
public abstract class Tape : IDisposable
{
    /// <summary>Whether operations are recorded for <see cref="Backward"/> and dropout is active.</summary>
    public abstract bool IsTraining { get; }

    /// <summary>Losses that layers add to the task's, each already times its coefficient. Only when training.</summary>
    internal List<Tensor> AuxiliaryLosses { get; } = [];

    /// <summary>Copies host values into a tensor without gradient.</summary>
    /// <param name="values">Row-major values.</param>
    /// <param name="shape">Sizes of the dimensions.</param>
    public abstract Tensor Constant(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape);

    /// <summary>Rows of a table: result[t] = table[indices[t]].</summary>
    /// <param name="tableVD">[V, D].</param>
    /// <param name="indices">T row numbers within [0, V).</param>
    /// <returns>[T, D].</returns>
    public abstract Tensor Embedding(Tensor tableVD, ReadOnlySpan<int> indices);

    /// <summary>Weighted sums of table rows, one for each bag.</summary>
    /// <param name="tableVD">[V, D].</param>
    /// <param name="bags">T bags; an empty bag gives zeros.</param>
    /// <returns>[T, D].</returns>
    public abstract Tensor EmbeddingBag(Tensor tableVD, RaggedIndices bags);

    /// <summary>activation(x·weight + bias).</summary>
    /// <param name="x">[…, I].</param>
    /// <param name="weightIO">[I, O].</param>
    /// <param name="bias">[O] or null.</param>
    /// <param name="activation">Applied to the sum.</param>
    /// <returns>[…, O].</returns>
    public abstract Tensor Linear(Tensor x, Tensor weightIO, Tensor? bias = null, Activation activation = Activation.None);

    /// <summary>gain·(x − mean)/√(variance + ε) + bias over the last dimension (Ba et al. 2016).</summary>
    /// <param name="x">[…, D].</param>
    /// <param name="gain">[D].</param>
    /// <param name="bias">[D].</param>
    /// <param name="epsilon">Added to the (biased) variance.</param>
    public abstract Tensor LayerNorm(Tensor x, Tensor gain, Tensor bias, float epsilon = 1e-5f);

    /// <summary>Element-wise sum of tensors of one shape.</summary>
    /// <param name="left">First.</param>
    /// <param name="right">Second.</param>
    public abstract Tensor Add(Tensor left, Tensor right);

    /// <summary>
    /// A residual connection: left + dropout(right). The same as <see cref="Add"/> of <see cref="Dropout"/>, with the same random numbers,
    /// in one pass.
    /// </summary>
    /// <param name="left">First.</param>
    /// <param name="right">Second, of the same shape; its elements are dropped when training.</param>
    /// <param name="rate">Within [0, 1).</param>
    public abstract Tensor AddDropped(Tensor left, Tensor right, float rate);

    /// <summary>Element-wise product with a number.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="factor">The number.</param>
    public abstract Tensor Scale(Tensor x, float factor);

    /// <summary>Joins tensors of equal rows along the last dimension.</summary>
    /// <param name="parts">Each [N, Dᵢ].</param>
    /// <returns>[N, Σ Dᵢ].</returns>
    public abstract Tensor Concat(params ReadOnlySpan<Tensor> parts);

    /// <summary>Sets elements to zero with probability <paramref name="rate"/> and scales the rest by 1/(1 − rate), when training.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="rate">Within [0, 1); 0 returns <paramref name="x"/> itself.</param>
    public abstract Tensor Dropout(Tensor x, float rate);

    /// <summary>
    /// Multi-head self-attention within each sequence, softmax(QKᵀ/√(D/H))·V (Vaswani et al. 2017). Padding is no key.
    /// </summary>
    /// <param name="qkvT3D">[T, 3D]: queries, keys, values side by side, each with its heads side by side.</param>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="heads">H; divides D.</param>
    /// <param name="dropout">Rate at which attention probabilities are dropped when training, within [0, 1).</param>
    /// <returns>[T, D].</returns>
    public abstract Tensor Attention(Tensor qkvT3D, SequenceLayout layout, int heads, float dropout = 0f);

    /// <summary>
    /// Pools each sequence by Q learned queries: softmax of the scores over the sequence's tokens, then the weighted sum of x.
    /// </summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="scoresTQ">[T, Q].</param>
    /// <param name="layout">Sequences within T; padding takes no part.</param>
    /// <returns>[B, Q·D]; zeros for a sequence without tokens.</returns>
    public abstract Tensor AttentionPool(Tensor xTD, Tensor scoresTQ, SequenceLayout layout);

    /// <summary>Largest value of each column over each sequence's tokens.</summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="layout">Sequences within T; padding takes no part.</param>
    /// <returns>[B, D]; zeros for a sequence without tokens.</returns>
    public abstract Tensor MaxPool(Tensor xTD, SequenceLayout layout);

    /// <summary>Mean of each column over each sequence's tokens.</summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="layout">Sequences within T; padding takes no part.</param>
    /// <returns>[B, D]; zeros for a sequence without tokens.</returns>
    public abstract Tensor MeanPool(Tensor xTD, SequenceLayout layout);

    /// <summary>
    /// x·router, in single precision whatever precision the engine takes for other products: choices are discrete, and rounded logits
    /// would change them (Fedus et al. 2021, "Switch Transformers", section 2.4, "selective precision").
    /// </summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="routerDE">[D, E].</param>
    /// <returns>[T, E] router logits.</returns>
    public abstract Tensor RouterLogits(Tensor xTD, Tensor routerDE);

    /// <summary>Lets a policy choose experts for tokens. Selection is discrete: no gradient flows through it.</summary>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="layout">Sequences within T.</param>
    public abstract RoutingPlan Route(Tensor logitsTE, RoutingPolicy policy, SequenceLayout layout);

    /// <summary>A plan to be filled, which lives as long as those of <see cref="Route"/>.</summary>
    internal virtual RoutingPlan NewPlan() => new();

    /// <summary>The weights with which a plan's pairs enter the sum over experts, as a differentiable function of the logits.</summary>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="plan">The pairs and the rule of their weights.</param>
    /// <returns>[P], in the plan's order.</returns>
    public abstract Tensor CombineWeights(Tensor logitsTE, RoutingPlan plan);

    /// <summary>
    /// The experts over a routing plan: result[t] = Σ over pairs (t, e) of weight·expert_e(x[t]); 0 for a token without pairs.
    /// </summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="weightsP">[P] from <see cref="CombineWeights"/>.</param>
    /// <param name="plan">The pairs.</param>
    /// <param name="experts">Stacked weights.</param>
    /// <param name="activation">Between the two products.</param>
    /// <returns>[T, D].</returns>
    public abstract Tensor GroupedExperts(Tensor xTD, Tensor weightsP, RoutingPlan plan, Experts experts, Activation activation);

    /// <summary>
    /// Tokens times their weights, in place of experts: result[t] = (Σ over pairs (t, ·) of weight)·x[t]; 0 for a token without pairs.
    /// </summary>
    /// <param name="xTD">[T, D].</param>
    /// <param name="weightsP">[P] from <see cref="CombineWeights"/>.</param>
    /// <param name="plan">The pairs.</param>
    /// <returns>[T, D].</returns>
    public abstract Tensor CopyTokens(Tensor xTD, Tensor weightsP, RoutingPlan plan);

    /// <summary>
    /// Load-balancing loss N·Σₑ fracₑ·probₑ (Fedus et al. 2021, "Switch Transformers", eq. 4): frac is the share of tokens whose
    /// largest logit is the expert's (no gradient), prob the mean router probability; over tokens, not padding.
    /// </summary>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="layout">Tells tokens from padding.</param>
    /// <returns>One element; 0 when there is no token.</returns>
    public abstract Tensor LoadBalancingLoss(Tensor logitsTE, SequenceLayout layout);

    /// <summary>Router z-loss, mean of logsumexp(logits)² over tokens, not padding (Zoph et al. 2022, "ST-MoE", eq. 5).</summary>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="layout">Tells tokens from padding.</param>
    /// <returns>One element; 0 when there is no token.</returns>
    public abstract Tensor RouterZLoss(Tensor logitsTE, SequenceLayout layout);

    /// <summary>
    /// Σ rowWeight·crossEntropy / Σ rowWeight between softmax(logits) and the targets smoothed towards the uniform distribution:
    /// (1 − s)·oneHot + s/C.
    /// </summary>
    /// <param name="logitsBC">[B, C].</param>
    /// <param name="targets">B class numbers within [0, C).</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <param name="labelSmoothing">s, within [0, 1).</param>
    /// <returns>One element.</returns>
    public abstract Tensor CrossEntropy(Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing = 0f);

    /// <summary>Softmax over the last dimension.</summary>
    /// <param name="x">[…, C].</param>
    public abstract Tensor Softmax(Tensor x);

    /// <summary>Accumulates the gradient of <paramref name="loss"/> in every parameter that it depends on. Once for each tape.</summary>
    /// <param name="loss">One element, made by this tape.</param>
    /// <param name="scale">Gradient of the loss itself; 1/n when n tapes accumulate into one step.</param>
    /// <exception cref="InvalidOperationException">The tape was not begun for training.</exception>
    public abstract void Backward(Tensor loss, float scale = 1f);

    /// <summary>Releases the tape's tensors.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the tape holds.</summary>
    /// <param name="disposing">Whether called from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);
}
