using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

// Softmax over columns: a vector holds as many of them, and nothing has to be summed up across it.
internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void SoftmaxColumns(float factor, float* x, nint stride, int rows, int columns, float sink)
    {
        // e^(factor·(x − largest)) as a power of two.
        var factors = TSimd.Create(factor * 1.44269504f);
        var hasSink = sink > float.NegativeInfinity;
        var sinks = TSimd.Create(hasSink ? sink : float.MinValue / 2f);
        for (var column = 0; column < columns; column += TSimd.Count)
        {
            var largest = sinks;
            var row = x + column;
            for (var r = 0; r < rows; r++, row += stride)
                largest = TSimd.Max(largest, TSimd.Load(row));
            // the difference first: a mask that leaves nothing of the scores leaves equal ones
            var sum = hasSink ? VectorMath<TSimd, TVector>.Exp2(TSimd.Multiply(factors, TSimd.Subtract(sinks, largest))) : default;
            row = x + column;
            for (var r = 0; r < rows; r++, row += stride)
            {
                var power = VectorMath<TSimd, TVector>.Exp2(TSimd.Multiply(factors, TSimd.Subtract(TSimd.Load(row), largest)));
                sum = TSimd.Add(sum, power);
                TSimd.Store(power, row);
            }

            // Next to nothing where all are −∞, otherwise the largest's power of about 1 at least.
            var one = TSimd.Create(1f);
            var inverse = TSimd.SelectLess(sum, TSimd.Create(0.5f), default, TSimd.Divide(one, sum));
            row = x + column;
            for (var r = 0; r < rows; r++, row += stride)
                TSimd.Store(TSimd.Multiply(TSimd.Load(row), inverse), row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void DropColumns(
        float factor, float* x, nint stride, float* kept, nint keptStride, int rows, int columns, uint first, uint key, uint threshold)
    {
        var factors = TSimd.Create(factor);
        for (var column = 0; column < columns; column += TSimd.Count, first += (uint)(TSimd.Count * rows))
        {
            var source = x + column;
            var target = kept + column;
            for (var r = 0; r < rows; r++, source += stride, target += keptStride)
            {
                var all = TSimd.Load(source);
                var remaining = TSimd.Keep(all, first + (uint)r, (uint)rows, key, threshold);
                TSimd.Store(TSimd.Multiply(factors, remaining), target);
                TSimd.Store(TSimd.Subtract(TSimd.Add(remaining, remaining), all), source);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void SoftmaxColumnsBackward(
        float factor, float* y, nint yStride, float* dY, nint stride, float keptFactor, float* kept, int rows, int columns)
    {
        var (factors, keptFactors) = (TSimd.Create(factor), TSimd.Create(keptFactor));
        for (var column = 0; column < columns; column += TSimd.Count)
        {
            TVector dot = default;
            var yRow = y + column;
            var dRow = dY + column;
            for (var r = 0; r < rows; r++, yRow += yStride, dRow += stride)
            {
                var (p, d) = (TSimd.Load(yRow), TSimd.Load(dRow));
                if (kept != null)
                {
                    d = TSimd.SelectLess(p, default, default, TSimd.Multiply(keptFactors, d));
                    p = TSimd.Max(default, p);
                    TSimd.Store(d, dRow);
                    TSimd.Store(TSimd.Multiply(keptFactors, p), kept + (dRow - dY));
                }

                dot = TSimd.MultiplyAdd(p, d, dot);
            }

            yRow = y + column;
            dRow = dY + column;
            for (var r = 0; r < rows; r++, yRow += yStride, dRow += stride)
            {
                var p = TSimd.Multiply(factors, TSimd.Abs(TSimd.Load(yRow)));
                TSimd.Store(TSimd.Multiply(p, TSimd.Subtract(TSimd.Load(dRow), dot)), dRow);
            }
        }
    }
}
