using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The inner loops of every operation, for one width of vector registers. n counts floats; pointers need no alignment. Results
/// may be written over inputs where both have the same place.
/// </summary>
internal abstract unsafe class Kernels
{
    /// <summary>Kernels for the widest registers that pay on this processor.</summary>
    public static Kernels Create()
    {
        if (Vector512.IsHardwareAccelerated)
            return new Kernels<Simd512, Vector512<float>>();
        return Vector256.IsHardwareAccelerated
            ? new Kernels<Simd256, Vector256<float>>()
            : new Kernels<Simd128, Vector128<float>>();
    }

    /// <summary>Bits of a vector register.</summary>
    public abstract int VectorBits { get; }

    /// <summary>Rows of a matrix product that one call of <see cref="Tile"/> makes.</summary>
    public abstract int TileRows { get; }

    /// <summary>Columns of a matrix product that one call of <see cref="Tile"/> makes.</summary>
    public abstract int TileColumns { get; }

    /// <summary>Tiles that so many rows take; the last may be part of one.</summary>
    public int TilesOf(int rows) => (rows + TileRows - 1) / TileRows;

    /// <summary>
    /// The core of the matrix product: a tile of c, or what of it is wanted, from packed rows of a and a panel of b. Each element is one chain
    /// of multiply–adds in the order of k, then stored or added to c.
    /// </summary>
    /// <param name="precision">How the panel of b is stored: floats, or what <see cref="RoundPanel"/> makes.</param>
    /// <param name="rows">Rows, at most <see cref="TileRows"/>; fewer take less time by sixths.</param>
    /// <param name="columns">Columns, at most <see cref="TileColumns"/>; no more than half take half the time.</param>
    /// <param name="depth">k.</param>
    /// <param name="a"><see cref="TileRows"/> rows at a distance of <see cref="PackedRows.Stride"/>.</param>
    /// <param name="b">For each k, at a distance of <paramref name="bStride"/>, the <see cref="TileColumns"/> elements of a row.</param>
    /// <param name="bStride">Distance of b's rows.</param>
    /// <param name="c">The tile.</param>
    /// <param name="cStride">Distance of c's rows.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    public abstract void Tile(
        InferencePrecision precision,
        int rows,
        int columns,
        int depth,
        float* a,
        float* b,
        nint bStride,
        float* c,
        nint cStride,
        bool accumulate);

    /// <summary>Rounds a panel of a second factor to bfloat16.</summary>
    /// <param name="depth">Rows of the panel.</param>
    /// <param name="source">The rows, <see cref="TileColumns"/> floats each.</param>
    /// <param name="target">Receives the rows, in half the memory.</param>
    public abstract void RoundPanel(int depth, float* source, float* target);

    /// <summary>Converts columns of a second factor in bfloat16, as many as a panel has, to floats.</summary>
    /// <param name="depth">Rows of the panel.</param>
    /// <param name="source">First row.</param>
    /// <param name="stride">Distance of the rows.</param>
    /// <param name="target">Receives the rows, <see cref="TileColumns"/> floats each.</param>
    public abstract void WidenPanel(int depth, ushort* source, nint stride, float* target);

    /// <summary>Most elements of the result of one <see cref="MultiplyBFloat16"/>: most of the first-level cache.</summary>
    public const int MostBFloat16Sums = 6144;

    /// <summary>
    /// c = a·b or c += a·b for a b in bfloat16 that is read once, where it lies, row by row: for few rows of a. The sums stay in the
    /// first-level cache meanwhile. Each element is one chain of multiply–adds in the order of k, then stored or added to c, as in <see cref="Tile"/>.
    /// </summary>
    /// <param name="rows">Rows, at most <see cref="TileRows"/>.</param>
    /// <param name="columns">Columns; whole vectors of them for all rows at most <see cref="MostBFloat16Sums"/>.</param>
    /// <param name="depth">k.</param>
    /// <param name="a">The rows at a distance of <see cref="PackedRows.Stride"/>.</param>
    /// <param name="b">First row.</param>
    /// <param name="bStride">Distance of b's rows.</param>
    /// <param name="c">Result.</param>
    /// <param name="cStride">Distance of c's rows.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    public abstract void MultiplyBFloat16(
        int rows, int columns, int depth, float* a, ushort* b, nint bStride, float* c, nint cStride, bool accumulate);

    /// <summary>
    /// Products of rows with the rows in memory of a matrix in bfloat16 or int8: c[r, i] = or += Σ over k of a[r][k]·b[i, k]. Each b is read
    /// once for every four rows of a. The order of a sum depends on the width of the vectors alone.
    /// </summary>
    /// <param name="rows">Rows of a.</param>
    /// <param name="count">Rows of b.</param>
    /// <param name="depth">k.</param>
    /// <param name="a">Where each row begins.</param>
    /// <param name="b">The matrix; transposition is not looked at.</param>
    /// <param name="first">First row of b, whose products are c's first column.</param>
    /// <param name="c">Result.</param>
    /// <param name="cStride">Distance of c's rows.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    public abstract void MultiplyRows(
        int rows, int count, int depth, float** a, in Matrix b, int first, float* c, nint cStride, bool accumulate);

    /// <summary>Rows that <see cref="MultiplyUnpacked"/> reads of its first factor are rounded up to a multiple of this.</summary>
    public abstract int RowMultiple { get; }

    /// <summary>
    /// c = a·b or c += a·b for matrices so small that packing them would take as long: both are read where they lie. Each element is one
    /// chain of multiply–adds in the order of k.
    /// </summary>
    /// <param name="rows">Rows of a and c.</param>
    /// <param name="columns">Columns of b and c.</param>
    /// <param name="depth">Columns of a, rows of b.</param>
    /// <param name="a">First factor; up to <see cref="RowMultiple"/> − 1 rows past its end are read for nothing.</param>
    /// <param name="b">Second factor; its rows are read in whole vectors.</param>
    /// <param name="bStride">Distance of b's rows.</param>
    /// <param name="c">Result.</param>
    /// <param name="cStride">Distance of c's rows.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    public abstract void MultiplyUnpacked(
        int rows, int columns, int depth, in Matrix a, float* b, nint bStride, float* c, nint cStride, bool accumulate);

    /// <summary>Σ x.</summary>
    public abstract float Sum(float* x, int n);

    /// <summary>Σ x·y.</summary>
    public abstract float Dot(float* x, float* y, int n);

    /// <summary>result = x + y.</summary>
    public abstract void Add(float* x, float* y, float* result, int n);

    /// <summary>result = x ∘ y.</summary>
    public abstract void Multiply(float* x, float* y, float* result, int n);

    /// <summary>result = factor·x.</summary>
    public abstract void Scale(float factor, float* x, float* result, int n);

    /// <summary>result += factor·x.</summary>
    public abstract void AddScaled(float factor, float* x, float* result, int n);

    /// <summary>result += x ∘ y.</summary>
    public abstract void AddProduct(float* x, float* y, float* result, int n);

    /// <summary>result += Σ of the rows of x, each n floats, at a distance of <paramref name="stride"/>.</summary>
    public abstract void AddRows(float* x, int rows, nint stride, float* result, int n);

    /// <summary>
    /// result = or += Σ over j of weights[j]·(row rows[j] of table), added up in the order of j.
    /// </summary>
    /// <param name="table">Row 0.</param>
    /// <param name="stride">Distance of the table's rows.</param>
    /// <param name="rows">Row numbers.</param>
    /// <param name="weights">Weights; null for 1.</param>
    /// <param name="count">Number of rows to add.</param>
    /// <param name="result">n floats.</param>
    /// <param name="n">Floats in a row.</param>
    /// <param name="accumulate">Whether to add to the result.</param>
    public abstract void SumRows(
        float* table, nint stride, int* rows, float* weights, int count, float* result, int n, bool accumulate);

    /// <summary>Where x is over best: best = x and winner = number.</summary>
    public abstract void TakeLarger(float* x, int number, float* best, int* winner, int n);

    /// <summary>y = softmax(factor·x); zeros when all x are −∞.</summary>
    /// <returns>ln Σ e^(factor·x).</returns>
    public abstract float Softmax(float factor, float* x, float* y, int n);

    /// <summary>dX = factor·y ∘ (dY − ⟨y, dY⟩), or added to dX.</summary>
    public abstract void SoftmaxBackward(float factor, float* y, float* dY, float* dX, int n, bool accumulate);

    /// <summary>
    /// x = softmax(factor·x) over the rows of each column; zeros where all of them are −∞. Columns are rounded up to whole vectors here
    /// and below.
    /// </summary>
    /// <param name="factor">Over 0, at most 1.</param>
    /// <param name="x">First row.</param>
    /// <param name="stride">Distance of the rows.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="sink">Of one more row, which is not written, the element in all columns; −∞ where there is none.</param>
    public abstract void SoftmaxColumns(float factor, float* x, nint stride, int rows, int columns, float sink = float.NegativeInfinity);

    /// <summary>
    /// Drops elements at random: kept = factor·x, or 0 where they are dropped, which a minus sign before x then tells
    /// <see cref="SoftmaxColumnsBackward"/>. The element of row r and column c has the number first + c·rows + r; see
    /// <see cref="RandomBits"/>.
    /// </summary>
    public abstract void DropColumns(
        float factor, float* x, nint stride, float* kept, nint keptStride, int rows, int columns, uint first, uint key, uint threshold);

    /// <summary>
    /// dX = factor·y ∘ (dY − Σ over rows of y∘dY) for each column, in the place of dY. Where elements were dropped, dY is that of the kept
    /// ones, and these are made again.
    /// </summary>
    /// <param name="factor">Of the softmax.</param>
    /// <param name="y">First row of the softmax, with the signs of <see cref="DropColumns"/>.</param>
    /// <param name="yStride">Distance of its rows.</param>
    /// <param name="dY">First row of the gradient.</param>
    /// <param name="stride">Distance of its rows, and of the kept elements'.</param>
    /// <param name="keptFactor">Of <see cref="DropColumns"/>.</param>
    /// <param name="kept">Receives the kept elements; null where none were dropped.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    public abstract void SoftmaxColumnsBackward(
        float factor, float* y, nint yStride, float* dY, nint stride, float keptFactor, float* kept, int rows, int columns);

    /// <summary>y = activation(z).</summary>
    public abstract void Activate(Activation activation, float* z, float* y, int n);

    /// <summary>
    /// z += bias, y = activation(z), row by row. Where y is z only the activation is kept.
    /// </summary>
    /// <param name="activation">The activation.</param>
    /// <param name="z">First row.</param>
    /// <param name="bias">n floats; null for zeros.</param>
    /// <param name="y">First row of the result.</param>
    /// <param name="stride">Distance of the rows of z and of y.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="n">Floats in a row.</param>
    public abstract void AddBiasAndActivate(Activation activation, float* z, float* bias, float* y, nint stride, int rows, int n);

    /// <summary>dZ = dY ∘ activation'(z).</summary>
    public abstract void ActivateBackward(Activation activation, float* z, float* dY, float* dZ, int n);

    /// <summary>y = gain ∘ (x − mean)/√(variance + ε) + bias.</summary>
    public abstract void LayerNorm(float* x, float* gain, float* bias, float* y, int n, float epsilon, out float mean, out float inverse);

    /// <summary>Gradient of one row; adds to dGain and dBias, and writes or adds to dX unless that is null.</summary>
    public abstract void LayerNormBackward(
        float* x, float* gain, float* dY, float mean, float inverse, float* dX, bool accumulate, float* dGain, float* dBias, int n);

    /// <summary>Mean of each of n columns over rows, and Σ(x − mean)².</summary>
    public abstract void ColumnMoments(float* x, int rows, int n, float* means, float* squares);

    /// <summary>Each row: y = factors ∘ (x − means) + shifts.</summary>
    public abstract void ScaleColumns(float* x, float* means, float* factors, float* shifts, float* y, int rows, int n);

    /// <summary>Of each of n columns Σ dY and Σ dY·(x − mean) over rows.</summary>
    public abstract void ColumnProducts(float* x, float* dY, float* means, int rows, int n, float* sums, float* products);

    /// <summary>Each row: dX = or += factors ∘ dY + slopes ∘ (x − means) + shifts.</summary>
    public abstract void CombineColumns(
        float* dY, float* x, float* means, float* factors, float* slopes, float* shifts, float* dX, bool accumulate, int rows, int n);

    /// <summary>y = gain ∘ x/√(mean(x²) + ε).</summary>
    /// <returns>1/√(mean(x²) + ε).</returns>
    public abstract float RmsNorm(float* x, float* gain, float* y, int n, float epsilon);

    /// <summary>Gradient of one row; adds to dGain, and writes or adds to dX unless that is null.</summary>
    public abstract void RmsNormBackward(
        float* x, float* gain, float* dY, float inverse, float* dX, bool accumulate, float* dGain, int n);

    /// <summary>
    /// result = factor·x where element number first + i is kept, else 0, plus <paramref name="added"/> unless that is null. See
    /// <see cref="RandomBits"/>.
    /// </summary>
    public abstract void Dropout(
        float factor, float* x, float* added, float* result, int n, uint first, uint key, uint threshold);

    /// <summary>One AdamW step.</summary>
    public abstract void AdamW(in AdamWStep step, float* value, float* gradient, float* moment1, float* moment2, int n);

    /// <summary>Σ x² in double precision.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SumOfSquares(float* x, int n)
    {
        Vector<double> sum0 = default, sum1 = default;
        var i = 0;
        for (; i <= n - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(Vector.Load(x + i), out var lower, out var upper);
            sum0 += lower * lower;
            sum1 += upper * upper;
        }

        var sum = Vector.Sum(sum0 + sum1);
        for (; i < n; i++)
            sum += (double)x[i] * x[i];
        return sum;
    }
}
