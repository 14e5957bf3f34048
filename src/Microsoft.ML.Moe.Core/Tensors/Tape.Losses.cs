using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors;

// Losses, each one element.
public abstract partial class Tape
{
    /// <summary>
    /// Load-balancing loss N·Σₑ fracₑ·probₑ (Fedus et al. 2021, "Switch Transformers", eq. 4): frac is the share of tokens whose
    /// largest logit is the expert's (no gradient), prob the mean router probability; over tokens, not padding.
    /// </summary>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="layout">Tells tokens from padding.</param>
    /// <returns>One element; 0 when there is no token.</returns>
    public Tensor LoadBalancingLoss(Tensor logitsTE, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Begin();
        Use(logitsTE);
        Check.Tokens(logitsTE, layout);
        return LoadBalancingLossCore(logitsTE, layout);
    }

    /// <summary>Router z-loss, mean of logsumexp(logits)² over tokens, not padding (Zoph et al. 2022, "ST-MoE", eq. 5).</summary>
    /// <param name="logitsTE">[T, E] router logits.</param>
    /// <param name="layout">Tells tokens from padding.</param>
    /// <returns>One element; 0 when there is no token.</returns>
    public Tensor RouterZLoss(Tensor logitsTE, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        Begin();
        Use(logitsTE);
        Check.Tokens(logitsTE, layout);
        return RouterZLossCore(logitsTE, layout);
    }

    /// <summary>
    /// Σ rowWeight·crossEntropy / Σ rowWeight between softmax(logits) and the targets smoothed towards the uniform distribution:
    /// (1 − s)·oneHot + s/C.
    /// </summary>
    /// <param name="logitsBC">[B, C].</param>
    /// <param name="targets">B class numbers within [0, C).</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <param name="labelSmoothing">s, within [0, 1).</param>
    /// <returns>One element.</returns>
    public Tensor CrossEntropy(Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing = 0f)
    {
        Begin();
        Use(logitsBC);
        CheckClasses(logitsBC, targets, rowWeights);
        Check.Rate(labelSmoothing);
        return CrossEntropyCore(logitsBC, targets, rowWeights, labelSmoothing);
    }

    /// <summary>
    /// Cross-entropy against shares of all classes, Σ rowWeight·Σ_c target_c·(−ln softmax(logits)_c) / Σ rowWeight: the probabilities of
    /// another model, several classes at once, classes that weigh differently. A row of zeros has no part.
    /// </summary>
    /// <param name="logitsBC">[B, C].</param>
    /// <param name="targets">B·C finite numbers of at least 0, row-major; those of a row need not sum to 1.</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <returns>One element.</returns>
    public Tensor SoftTargetCrossEntropy(Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights)
    {
        Begin();
        Use(logitsBC);
        CheckTargets(logitsBC, targets, rowWeights, 0f, float.MaxValue);
        return SoftTargetCrossEntropyCore(logitsBC, targets, rowWeights);
    }

    /// <summary>Mean squared error of numbers: Σ rowWeight·mean over columns of (value − target)² / Σ rowWeight.</summary>
    /// <param name="valuesBC">[B, C], C at least 1.</param>
    /// <param name="targets">B·C finite numbers, row-major.</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <returns>One element.</returns>
    public Tensor SquaredError(Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights)
    {
        Begin();
        Use(valuesBC);
        CheckTargets(valuesBC, targets, rowWeights, float.MinValue, float.MaxValue);
        return SquaredErrorCore(valuesBC, targets, rowWeights);
    }

    /// <summary>
    /// Binary cross-entropy of logits, one question a column: Σ rowWeight·mean over columns of
    /// −t·ln σ(logit) − (1 − t)·ln(1 − σ(logit)) / Σ rowWeight, with σ the sigmoid.
    /// </summary>
    /// <param name="logitsBC">[B, C], C at least 1.</param>
    /// <param name="targets">B·C numbers t within [0, 1], row-major.</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <returns>One element.</returns>
    public Tensor BinaryCrossEntropy(Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights)
    {
        Begin();
        Use(logitsBC);
        CheckTargets(logitsBC, targets, rowWeights, 0f, 1f);
        return BinaryCrossEntropyCore(logitsBC, targets, rowWeights);
    }

    /// <summary>
    /// Huber's error of numbers, d²/2 where |d| ≤ δ, else δ·(|d| − δ/2), d = value − target (Huber 1964, "Robust estimation of a location
    /// parameter"): Σ rowWeight·mean over columns / Σ rowWeight. Divided by δ it is the smooth L1 error, and near it the absolute error
    /// for a small δ.
    /// </summary>
    /// <param name="valuesBC">[B, C], C at least 1.</param>
    /// <param name="targets">B·C finite numbers, row-major.</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <param name="delta">δ, over 0 and finite.</param>
    /// <returns>One element.</returns>
    public Tensor HuberError(Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float delta = 1f)
    {
        Begin();
        Use(valuesBC);
        CheckTargets(valuesBC, targets, rowWeights, float.MinValue, float.MaxValue);
        if (!(delta > 0f && float.IsFinite(delta)))
            throw new ArgumentOutOfRangeException(nameof(delta), delta, "HuberError: delta must be over 0 and finite.");
        return HuberErrorCore(valuesBC, targets, rowWeights, delta);
    }

    /// <summary>
    /// Quantile (pinball) error, max(q·(target − value), (q − 1)·(target − value)) (Koenker and Bassett 1978, "Regression quantiles"), which
    /// each column's own quantile q of the targets makes smallest: Σ rowWeight·mean over columns / Σ rowWeight. Twice the error with q = ½ is
    /// the absolute error.
    /// </summary>
    /// <param name="valuesBC">[B, C], C at least 1.</param>
    /// <param name="targets">B·C finite numbers, row-major.</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <param name="quantiles">C numbers q within [0, 1].</param>
    /// <returns>One element.</returns>
    public Tensor QuantileError(
        Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, ReadOnlySpan<float> quantiles)
    {
        Begin();
        Use(valuesBC);
        CheckTargets(valuesBC, targets, rowWeights, float.MinValue, float.MaxValue);
        if (quantiles.Length != valuesBC.Columns)
        {
            throw new ArgumentException(
                $"QuantileError: {quantiles.Length} quantiles for values {Check.Text(valuesBC.Shape)}.", nameof(quantiles));
        }

        foreach (var quantile in quantiles)
        {
            if (!(quantile >= 0f && quantile <= 1f))
                throw new ArgumentOutOfRangeException(nameof(quantiles), quantile, "QuantileError: quantiles must be within [0, 1].");
        }

        return QuantileErrorCore(valuesBC, targets, rowWeights, quantiles);
    }

    /// <summary>
    /// Focal loss of classes, Σ rowWeight·(−(1 − p)^γ·ln p) / Σ rowWeight with p the target's softmax (Lin et al. 2017, "Focal loss for dense
    /// object detection", equation 4). The gradient flows through the factor, too.
    /// </summary>
    /// <param name="logitsBC">[B, C].</param>
    /// <param name="targets">B class numbers within [0, C).</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <param name="gamma">γ, at least 0 and finite; with 0 it is the cross-entropy.</param>
    /// <returns>One element.</returns>
    public Tensor FocalLoss(Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float gamma = 2f)
    {
        Begin();
        Use(logitsBC);
        CheckClasses(logitsBC, targets, rowWeights);
        CheckGamma(gamma);
        return FocalLossCore(logitsBC, targets, rowWeights, gamma);
    }

    /// <summary>
    /// Focal loss of binary questions, one a column: as <see cref="BinaryCrossEntropy"/>, each element times a·(1 − p)^γ, where p is the
    /// probability of the target, p = t·σ(logit) + (1 − t)·(1 − σ(logit)), and a = α·t + (1 − α)·(1 − t) (Lin et al. 2017, equation 5).
    /// </summary>
    /// <param name="logitsBC">[B, C], C at least 1.</param>
    /// <param name="targets">B·C numbers t within [0, 1], row-major.</param>
    /// <param name="rowWeights">B weights of at least 0, not all 0; empty for 1 each.</param>
    /// <param name="gamma">γ, at least 0 and finite.</param>
    /// <param name="alpha">α, within [0, 1]; null for a = 1.</param>
    /// <returns>One element.</returns>
    public Tensor BinaryFocalLoss(
        Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float gamma = 2f, float? alpha = null)
    {
        Begin();
        Use(logitsBC);
        CheckTargets(logitsBC, targets, rowWeights, 0f, 1f);
        CheckGamma(gamma);
        if (alpha is { } share && !(share >= 0f && share <= 1f))
            throw new ArgumentOutOfRangeException(nameof(alpha), alpha, "BinaryFocalLoss: alpha must be within [0, 1].");
        return BinaryFocalLossCore(logitsBC, targets, rowWeights, gamma, alpha);
    }

    /// <inheritdoc cref="LoadBalancingLoss"/>
    protected abstract Tensor LoadBalancingLossCore(Tensor logitsTE, SequenceLayout layout);

    /// <inheritdoc cref="RouterZLoss"/>
    protected abstract Tensor RouterZLossCore(Tensor logitsTE, SequenceLayout layout);

    /// <inheritdoc cref="CrossEntropy"/>
    protected abstract Tensor CrossEntropyCore(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float labelSmoothing);

    /// <inheritdoc cref="SoftTargetCrossEntropy"/>
    protected abstract Tensor SoftTargetCrossEntropyCore(
        Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights);

    /// <inheritdoc cref="SquaredError"/>
    protected abstract Tensor SquaredErrorCore(Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights);

    /// <inheritdoc cref="BinaryCrossEntropy"/>
    protected abstract Tensor BinaryCrossEntropyCore(Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights);

    /// <inheritdoc cref="HuberError"/>
    protected abstract Tensor HuberErrorCore(
        Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float delta);

    /// <inheritdoc cref="QuantileError"/>
    protected abstract Tensor QuantileErrorCore(
        Tensor valuesBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, ReadOnlySpan<float> quantiles);

    /// <inheritdoc cref="FocalLoss"/>
    protected abstract Tensor FocalLossCore(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, float gamma);

    /// <inheritdoc cref="BinaryFocalLoss"/>
    protected abstract Tensor BinaryFocalLossCore(
        Tensor logitsBC, ReadOnlySpan<float> targets, ReadOnlySpan<float> rowWeights, float gamma, float? alpha);

    private static void CheckClasses(
        Tensor logitsBC, ReadOnlySpan<int> targets, ReadOnlySpan<float> rowWeights, [CallerMemberName] string operation = "")
    {
        Check.Rank(logitsBC, 2, nameof(logitsBC), operation);
        var rows = logitsBC.Shape[0];
        if (targets.Length != rows)
        {
            throw new ArgumentException(
                $"{operation}: {targets.Length} targets for logitsBC {Check.Text(logitsBC.Shape)}.", nameof(targets));
        }

        Check.Indices(targets, logitsBC.Columns, nameof(targets), operation);
        RowWeights.Validate(rowWeights, rows, operation);
    }

    private static void CheckGamma(float gamma, [CallerMemberName] string operation = "")
    {
        if (!(gamma >= 0f && float.IsFinite(gamma)))
            throw new ArgumentOutOfRangeException(nameof(gamma), gamma, $"{operation}: gamma must be at least 0 and finite.");
    }

    private static void CheckTargets(
        Tensor valuesBC,
        ReadOnlySpan<float> targets,
        ReadOnlySpan<float> rowWeights,
        float least,
        float most,
        [CallerMemberName] string operation = "")
    {
        Check.Rank(valuesBC, 2, nameof(valuesBC), operation);
        if (valuesBC.Columns == 0)
            throw new ArgumentException($"{operation}: values {Check.Text(valuesBC.Shape)} have no column.", nameof(valuesBC));
        if (targets.Length != valuesBC.Length)
        {
            throw new ArgumentException(
                $"{operation}: {targets.Length} targets for values {Check.Text(valuesBC.Shape)}.", nameof(targets));
        }

        for (var i = 0; i < targets.Length; i++)
        {
            if (!(targets[i] >= least && targets[i] <= most))
            {
                throw new ArgumentOutOfRangeException(
                    nameof(targets), targets[i], $"{operation}: target {i} is not within [{least}, {most}].");
            }
        }

        RowWeights.Validate(rowWeights, valuesBC.Shape[0], operation);
    }
}
