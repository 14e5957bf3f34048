using Microsoft.ML.Moe.Layers;
using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// One forward pass and, when training, its backward pass: the operation vocabulary that every model is written in. Results belong
/// to the tape and die with it. A tape is used by one thread.
/// Letters in shapes: T tokens of a packed batch, B sequences, D width, I/O width in and out, E experts, F expert width, H heads,
/// C classes, V table rows, P token–expert pairs of a routing plan.
/// </summary>
/// <remarks>
/// Every operation checks its arguments here, once for all engines, and then hands them to the engine's method of the same name with
/// <c>Core</c> at the end. Shapes that do not fit and tensors of another engine or tape raise <see cref="ArgumentException"/>, indices
/// and rates out of range <see cref="ArgumentOutOfRangeException"/>, a tape or engine that is gone
/// <see cref="ObjectDisposedException"/>.
/// </remarks>
public abstract partial class Tape : IDisposable
{
    private bool _wentBackward;

    /// <summary>Whether operations are recorded for <see cref="Backward"/> and dropout is active.</summary>
    public abstract bool IsTraining { get; }

    /// <summary>Factor of all rates of <see cref="Dropout"/> and <see cref="AddDropped"/>, within [0, 1]: training can let dropout fall.</summary>
    internal float DropoutFactor { get; set; } = 1f;

    /// <summary>Whether <see cref="BatchNorm"/> takes the statistics that it is given while training too, and leaves them as they are.</summary>
    internal bool KeepsStatistics { get; set; }

    /// <summary>Losses that layers add to the task's, each already times its coefficient. Only when training.</summary>
    internal List<Tensor> AuxiliaryLosses { get; } = [];

    /// <summary>States that an encoder has given after each of its blocks.</summary>
    internal List<Tensor> States { get; } = [];

    /// <summary>Copies host values into a tensor without gradient.</summary>
    /// <param name="values">Row-major values.</param>
    /// <param name="shape">Sizes of the dimensions.</param>
    public Tensor Constant(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        Begin();
        Check.Length(values.Length, shape, nameof(values));
        return ConstantCore(values, shape);
    }

    /// <summary>Rows of a table: result[t] = table[indices[t]].</summary>
    /// <param name="tableVD">[V, D].</param>
    /// <param name="indices">T row numbers within [0, V).</param>
    /// <returns>[T, D].</returns>
    public Tensor Embedding(Tensor tableVD, ReadOnlySpan<int> indices)
    {
        Begin();
        Use(tableVD);
        Check.Rank(tableVD, 2);
        Check.Indices(indices, tableVD.Shape[0]);
        return EmbeddingCore(tableVD, indices);
    }

    /// <summary>Weighted sums of table rows, one for each bag.</summary>
    /// <param name="tableVD">[V, D].</param>
    /// <param name="bags">T bags; an empty bag gives zeros.</param>
    /// <param name="factorsN">A factor of the weight of each of the N indices, [N], that can be learned; null for 1.</param>
    /// <returns>[T, D].</returns>
    public Tensor EmbeddingBag(Tensor tableVD, RaggedIndices bags, Tensor? factorsN = null)
    {
        ArgumentNullException.ThrowIfNull(bags);
        Begin();
        Use(tableVD);
        Check.Rank(tableVD, 2);
        Check.Indices(bags.Indices, tableVD.Shape[0], nameof(bags));
        Check.Offsets(bags.Offsets, bags.Entries, nameof(bags));
        if (factorsN is not null)
        {
            Use(factorsN);
            Check.Shape(factorsN, [bags.Entries]);
        }

        return EmbeddingBagCore(tableVD, bags, factorsN);
    }

    /// <summary>activation(x·weight + bias).</summary>
    /// <param name="x">[…, I].</param>
    /// <param name="weightIO">[I, O].</param>
    /// <param name="bias">[O] or null.</param>
    /// <param name="activation">Applied to the sum.</param>
    /// <returns>[…, O].</returns>
    public Tensor Linear(Tensor x, Tensor weightIO, Tensor? bias = null, Activation activation = Activation.None)
    {
        Begin();
        Use(x);
        Use(weightIO);
        UseIfGiven(bias);
        CheckProduct(x, weightIO);
        if (bias is not null)
            Check.Shape(bias, [weightIO.Columns]);
        Check.Defined(activation);
        return LinearCore(x, weightIO, bias, activation);
    }

    /// <summary>gain·(x − mean)/√(variance + ε) + bias over the last dimension (Ba et al. 2016).</summary>
    /// <param name="x">[…, D].</param>
    /// <param name="gain">[D].</param>
    /// <param name="bias">[D].</param>
    /// <param name="epsilon">Added to the (biased) variance.</param>
    public Tensor LayerNorm(Tensor x, Tensor gain, Tensor bias, float epsilon = 1e-5f)
    {
        Begin();
        Use(x);
        Use(gain);
        Use(bias);
        Check.AtLeastRank(x, 1);
        Check.Shape(gain, [x.Columns]);
        Check.Shape(bias, [x.Columns]);
        return LayerNormCore(x, gain, bias, epsilon);
    }

    /// <summary>
    /// gain·x/√(mean(x²) + ε) over the last dimension (Zhang and Sennrich 2019, "Root mean square layer normalization"), or over each of its
    /// equal runs: those of heads, say, which one gain serves.
    /// </summary>
    /// <param name="x">[…, D].</param>
    /// <param name="gain">[K] with K a divisor of D: each run of K columns is normalised by itself.</param>
    /// <param name="epsilon">Added to the mean square; at least 0.</param>
    public Tensor RmsNorm(Tensor x, Tensor gain, float epsilon = 1e-6f)
    {
        Begin();
        Use(x);
        Use(gain);
        Check.AtLeastRank(x, 1);
        Check.Rank(gain, 1);
        if (gain.Length == 0 || x.Columns % gain.Length != 0)
            Check.Shape(gain, [x.Columns]);
        if (!(epsilon >= 0f))
            throw new ArgumentOutOfRangeException(nameof(epsilon), epsilon, "RmsNorm: epsilon must be at least 0.");
        return RmsNormCore(x, gain, epsilon);
    }

    /// <summary>Element-wise product of tensors of one shape.</summary>
    /// <param name="left">First.</param>
    /// <param name="right">Second.</param>
    public Tensor Multiply(Tensor left, Tensor right)
    {
        Begin();
        Use(left);
        Use(right);
        Check.Shape(right, left.Shape);
        return MultiplyCore(left, right);
    }

    /// <summary>Element-wise sum of tensors of one shape.</summary>
    /// <param name="left">First.</param>
    /// <param name="right">Second.</param>
    public Tensor Add(Tensor left, Tensor right)
    {
        Begin();
        Use(left);
        Use(right);
        Check.Shape(right, left.Shape);
        return AddCore(left, right);
    }

    /// <summary>
    /// A residual connection: left + dropout(right). The same as <see cref="Add"/> of <see cref="Dropout"/>, with the same random numbers,
    /// in one pass.
    /// </summary>
    /// <param name="left">First.</param>
    /// <param name="right">Second, of the same shape; its elements are dropped when training.</param>
    /// <param name="rate">Within [0, 1).</param>
    public Tensor AddDropped(Tensor left, Tensor right, float rate)
    {
        Begin();
        Use(left);
        Use(right);
        Check.Shape(right, left.Shape);
        Check.Rate(rate);
        rate *= DropoutFactor;
        return rate == 0f || !IsTraining ? AddCore(left, right) : AddDroppedCore(left, right, rate);
    }

    /// <summary>Element-wise product with a number.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="factor">The number.</param>
    public Tensor Scale(Tensor x, float factor)
    {
        Begin();
        Use(x);
        return ScaleCore(x, factor);
    }

    /// <summary>Keeps elements within two bounds: min(max(x, minimum), maximum). What lies beyond a bound has no gradient.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="minimum">The lower bound.</param>
    /// <param name="maximum">The upper bound, at least <paramref name="minimum"/>.</param>
    public Tensor Clamp(Tensor x, float minimum, float maximum)
    {
        Begin();
        Use(x);
        if (!(minimum <= maximum))
            throw new ArgumentOutOfRangeException(nameof(maximum), maximum, $"Clamp: the maximum must be at least the minimum, {minimum}.");
        return ClampCore(x, minimum, maximum);
    }

    /// <summary>An activation of each element by itself, as <see cref="Linear"/> applies it to its sums.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="activation">The activation; none returns <paramref name="x"/> itself.</param>
    public Tensor Activate(Tensor x, Activation activation)
    {
        Begin();
        Use(x);
        Check.Defined(activation);
        return activation == Activation.None ? x : ActivateCore(x, activation);
    }

    /// <summary>Joins tensors of equal rows along the last dimension.</summary>
    /// <param name="parts">Each [N, Dᵢ].</param>
    /// <returns>[N, Σ Dᵢ].</returns>
    public Tensor Concat(params ReadOnlySpan<Tensor> parts)
    {
        Begin();
        if (parts.Length == 0)
            throw new ArgumentException("Concat: at least one part.", nameof(parts));
        foreach (var part in parts)
        {
            Use(part, nameof(parts));
            Check.Rank(part, 2, nameof(parts));
            if (part.Shape[0] != parts[0].Shape[0])
            {
                throw new ArgumentException(
                    $"Concat: parts {Check.Text(parts[0].Shape)} and {Check.Text(part.Shape)} differ in rows.", nameof(parts));
            }
        }

        return ConcatCore(parts);
    }

    /// <summary>The same elements in the same order, in another shape.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="shape">Sizes of the dimensions, of as many elements.</param>
    public Tensor Reshape(Tensor x, params ReadOnlySpan<int> shape)
    {
        Begin();
        Use(x);
        Check.Length(x.Length, shape, nameof(x));
        return ReshapeCore(x, shape);
    }

    /// <summary>Sets elements to zero with probability <paramref name="rate"/> and scales the rest by 1/(1 − rate), when training.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="rate">Within [0, 1); 0 returns <paramref name="x"/> itself.</param>
    public Tensor Dropout(Tensor x, float rate)
    {
        Begin();
        Use(x);
        Check.Rate(rate);
        rate *= DropoutFactor;
        return rate == 0f || !IsTraining ? x : DropoutCore(x, rate);
    }

    /// <summary>Multiplies each element by a random number within 1 ± <paramref name="amount"/>, uniformly distributed, when training.</summary>
    /// <param name="x">[T, D].</param>
    /// <param name="amount">Within [0, 1); 0 returns <paramref name="x"/> itself.</param>
    internal Tensor Jitter(Tensor x, float amount)
    {
        Check.Rate(amount);
        if (amount == 0f || !IsTraining)
            return x;
        var random = new Random((int)NextKey());
        var factors = new float[x.Length];
        for (var i = 0; i < factors.Length; i++)
            factors[i] = 1f + amount * (2f * random.NextSingle() - 1f);
        return Multiply(x, Constant(factors, x.Shape));
    }

    /// <summary>Adds normally distributed numbers to each element when training.</summary>
    /// <param name="x">[T, D].</param>
    /// <param name="deviation">Their standard deviation, at least 0; 0 returns <paramref name="x"/> itself.</param>
    internal Tensor AddNoise(Tensor x, float deviation)
    {
        if (deviation == 0f || !IsTraining)
            return x;
        var noise = new float[x.Length];
        NormalNumbers.Fill(NextKey(), 0, deviation, noise);
        return Add(x, Constant(noise, x.Shape));
    }

    /// <summary>Softmax over the last dimension.</summary>
    /// <param name="x">[…, C].</param>
    public Tensor Softmax(Tensor x)
    {
        Begin();
        Use(x);
        Check.AtLeastRank(x, 1);
        return SoftmaxCore(x);
    }

    /// <summary>The mean of all elements.</summary>
    /// <param name="x">Any shape.</param>
    /// <returns>One element; 0 of nothing.</returns>
    public Tensor Mean(Tensor x)
    {
        Begin();
        Use(x);
        return MeanCore(x);
    }

    /// <summary>Accumulates the gradient of <paramref name="loss"/> in every parameter that it depends on. Once for each tape.</summary>
    /// <param name="loss">One element, made by this tape.</param>
    /// <param name="scale">Gradient of the loss itself; 1/n when n tapes accumulate into one step.</param>
    /// <exception cref="InvalidOperationException">The tape was not begun for training, or has gone backward already.</exception>
    public void Backward(Tensor loss, float scale = 1f)
    {
        Begin();
        if (!IsTraining)
            throw new InvalidOperationException("The tape was not begun for training.");
        if (_wentBackward)
            throw new InvalidOperationException("A tape goes backward once.");
        if (!Use(loss) || loss.Length != 1)
            throw new ArgumentException($"The loss must be one element made by this tape but is {Check.Text(loss.Shape)}.", nameof(loss));
        _wentBackward = true;
        BackwardCore(loss, scale);
    }

    /// <summary>Goes backward from a task's loss and what layers add to it.</summary>
    /// <param name="loss">The task's; one element.</param>
    /// <param name="scale">See <see cref="Backward"/>.</param>
    /// <returns>The task's loss alone, to report.</returns>
    internal LaterValue BackwardWithAuxiliary(Tensor loss, float scale)
    {
        var all = loss;
        foreach (var extra in AuxiliaryLosses)
            all = Add(all, extra);
        Backward(all, scale);
        return loss.ReadLater();
    }

    /// <summary>Releases the tape's tensors.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the tape holds.</summary>
    /// <param name="disposing">Whether called from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);

    /// <summary>Called before each operation: makes sure that neither the tape nor its engine is disposed.</summary>
    /// <exception cref="ObjectDisposedException">One of them is.</exception>
    protected abstract void Begin();

    /// <summary>Checks that an operation may use a tensor, and notes that it does.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="name">Name of the argument, for messages.</param>
    /// <returns>Whether the tape has made it; false for a parameter of the tape's engine.</returns>
    /// <exception cref="ArgumentException">It belongs to another engine or tape.</exception>
    protected abstract bool UseCore(Tensor tensor, string name);

    /// <summary>The key of the tape's next random numbers.</summary>
    protected abstract uint NextKey();

    /// <summary>Makes the tape as good as new, for an engine that begins it again.</summary>
    private protected void Restart()
    {
        _wentBackward = false;
        DropoutFactor = 1f;
        KeepsStatistics = false;
        AuxiliaryLosses.Clear();
        States.Clear();
    }

    /// <inheritdoc cref="Constant"/>
    protected abstract Tensor ConstantCore(ReadOnlySpan<float> values, ReadOnlySpan<int> shape);

    /// <inheritdoc cref="Embedding"/>
    protected abstract Tensor EmbeddingCore(Tensor tableVD, ReadOnlySpan<int> indices);

    /// <inheritdoc cref="EmbeddingBag"/>
    protected abstract Tensor EmbeddingBagCore(Tensor tableVD, RaggedIndices bags, Tensor? factorsN);

    /// <inheritdoc cref="Linear"/>
    protected abstract Tensor LinearCore(Tensor x, Tensor weightIO, Tensor? bias, Activation activation);

    /// <inheritdoc cref="LayerNorm"/>
    protected abstract Tensor LayerNormCore(Tensor x, Tensor gain, Tensor bias, float epsilon);

    /// <inheritdoc cref="RmsNorm"/>
    protected abstract Tensor RmsNormCore(Tensor x, Tensor gain, float epsilon);

    /// <inheritdoc cref="Multiply"/>
    protected abstract Tensor MultiplyCore(Tensor left, Tensor right);

    /// <inheritdoc cref="Add"/>
    protected abstract Tensor AddCore(Tensor left, Tensor right);

    /// <inheritdoc cref="AddDropped"/>
    protected abstract Tensor AddDroppedCore(Tensor left, Tensor right, float rate);

    /// <inheritdoc cref="Scale"/>
    protected abstract Tensor ScaleCore(Tensor x, float factor);

    /// <inheritdoc cref="Clamp"/>
    protected abstract Tensor ClampCore(Tensor x, float minimum, float maximum);

    /// <inheritdoc cref="Activate"/>
    protected abstract Tensor ActivateCore(Tensor x, Activation activation);

    /// <inheritdoc cref="Concat"/>
    protected abstract Tensor ConcatCore(ReadOnlySpan<Tensor> parts);

    /// <inheritdoc cref="Reshape"/>
    protected abstract Tensor ReshapeCore(Tensor x, ReadOnlySpan<int> shape);

    /// <inheritdoc cref="Dropout"/>
    protected abstract Tensor DropoutCore(Tensor x, float rate);

    /// <inheritdoc cref="Softmax"/>
    protected abstract Tensor SoftmaxCore(Tensor x);

    /// <inheritdoc cref="Mean"/>
    protected abstract Tensor MeanCore(Tensor x);

    /// <inheritdoc cref="Backward"/>
    protected abstract void BackwardCore(Tensor loss, float scale);

    private static void CheckProduct(Tensor x, Tensor weightIO, [CallerMemberName] string operation = "")
    {
        Check.AtLeastRank(x, 1, nameof(x), operation);
        Check.Rank(weightIO, 2, nameof(weightIO), operation);
        if (x.Columns != weightIO.Shape[0])
        {
            throw new ArgumentException(
                $"{operation}: x {Check.Text(x.Shape)} does not fit weightIO {Check.Text(weightIO.Shape)}.", nameof(x));
        }
    }

    private bool Use(Tensor tensor, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        return UseCore(tensor, name);
    }

    private void UseIfGiven(Tensor? tensor, [CallerArgumentExpression(nameof(tensor))] string name = "")
    {
        if (tensor is not null)
            UseCore(tensor, name);
    }
}
