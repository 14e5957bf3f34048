using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// The matrices of a frozen parameter [R, C] or [E, R, C] in bfloat16 or int8, where they lie: in memory of their own or in a mapped file,
/// each at an address of its own, as they are there or transposed. Torch stores the matrix of a linear layer as [out, in], and a file has
/// each expert's apart: such parameters need no copy.
/// </summary>
internal sealed unsafe class StoredMatrices
{
    private readonly nint[] _places;
    private readonly object[] _memory;
    private readonly float* _scales;

    private StoredMatrices(int rows, int columns, bool isTransposed, nint stride, nint[] places, object[] memory, float* scales)
    {
        (Rows, Columns, IsTransposed, Stride) = (rows, columns, isTransposed, stride);
        (_places, _memory) = (places, memory);
        _scales = scales;
    }

    /// <summary>R, of each matrix.</summary>
    public int Rows { get; }

    /// <summary>C, of each matrix.</summary>
    public int Columns { get; }

    /// <summary>Whether memory holds the transposes: C rows of R numbers.</summary>
    public bool IsTransposed { get; }

    /// <summary>Numbers from a row in memory to the next.</summary>
    public nint Stride { get; }

    /// <summary>Number of matrices; 1 for a parameter of two dimensions.</summary>
    public int Count => _places.Length;

    /// <summary>Numbers in all.</summary>
    public long Length => (long)Count * Rows * Columns;

    /// <summary>What the numbers are.</summary>
    public ElementType Type => _scales == null ? ElementType.BFloat16 : ElementType.Int8;

    /// <summary>Bytes of memory taken for them; 0 where they lie in a file.</summary>
    public long OwnedBytes { get; private init; }

    private int RowsInMemory => IsTransposed ? Columns : Rows;

    private int RowLength => IsTransposed ? Rows : Columns;

    /// <summary>Numbers in bfloat16 in the order of a shape.</summary>
    /// <param name="values">As many as the shape asks for.</param>
    /// <param name="shape">Two dimensions at least.</param>
    public static StoredMatrices Of(BFloat16Values values, ReadOnlySpan<int> shape)
    {
        var (rows, columns) = (shape[^2], shape[^1]);
        var places = new nint[CountOf(shape)];
        for (var i = 0; i < places.Length; i++)
            places[i] = (nint)(values.Data + (long)i * rows * columns);
        return new StoredMatrices(rows, columns, false, columns, places, [values.Memory], null) { OwnedBytes = values.OwnedBytes };
    }

    /// <summary>Matrices in bfloat16 that lie apart.</summary>
    /// <param name="rows">R.</param>
    /// <param name="columns">C.</param>
    /// <param name="isTransposed">See <see cref="IsTransposed"/>.</param>
    /// <param name="stride">See <see cref="Stride"/>.</param>
    /// <param name="matrices">The values that each matrix is in, and the number of its first among them.</param>
    public static StoredMatrices Of(
        int rows, int columns, bool isTransposed, nint stride, IReadOnlyList<(BFloat16Values Values, long First)> matrices) => new(
            rows,
            columns,
            isTransposed,
            stride,
            [.. matrices.Select(m => (nint)(m.Values.Data + m.First))],
            [.. matrices.Select(m => m.Values.Memory).Distinct(ReferenceEqualityComparer.Instance).OfType<object>()],
            null);

    /// <summary>Matrices in int8 with one scale for each row in memory, whose largest number is 127 of them (or −127).</summary>
    /// <param name="engine">Gives the threads.</param>
    /// <param name="shape">Two dimensions at least.</param>
    /// <param name="isTransposed">See <see cref="IsTransposed"/>. Rows in memory should be outputs.</param>
    /// <param name="read">Writes the numbers of a row in memory, of all matrices counted through.</param>
    public static StoredMatrices Int8(Engine engine, int[] shape, bool isTransposed, ReadNumbers read)
    {
        const int RowsOfItem = 16;
        var length = isTransposed ? shape[^2] : shape[^1];
        var matrices = Int8(shape, isTransposed, out var numbers, out var scales);
        var allRows = scales.Length;
        engine.ForEach((allRows + RowsOfItem - 1) / RowsOfItem, item =>
        {
            var values = new float[length];
            for (var row = item * RowsOfItem; row < Math.Min(allRows, (item + 1) * RowsOfItem); row++)
            {
                read(row, values);
                scales.Data[row] = Managed.Int8.Round(values, new Span<sbyte>((sbyte*)numbers.Data + (long)row * length, length));
            }
        });
        return matrices;
    }

    /// <summary>Matrices in int8 that were rounded before, see <see cref="ToNumbers"/> and <see cref="ToScales"/>.</summary>
    /// <param name="shape">Two dimensions at least.</param>
    /// <param name="isTransposed">See <see cref="IsTransposed"/>.</param>
    /// <param name="fillNumbers">Writes some of the whole numbers, from the one of that number on, in their order in memory.</param>
    /// <param name="fillScales">Writes the scales.</param>
    public static StoredMatrices Int8(int[] shape, bool isTransposed, Action<long, Span<sbyte>> fillNumbers, FillValues fillScales)
    {
        const int Part = 1 << 20;
        var matrices = Int8(shape, isTransposed, out var numbers, out var scales);
        for (var first = 0L; first < matrices.Length; first += Part)
            fillNumbers(first, new Span<sbyte>((sbyte*)numbers.Data + first, (int)Math.Min(Part, matrices.Length - first)));
        fillScales(new Span<float>(scales.Data, scales.Length));
        return matrices;
    }

    /// <summary>Whether these are the matrices of a shape.</summary>
    public bool Fits(ReadOnlySpan<int> shape) =>
        shape.Length >= 2 && shape[^2] == Rows && shape[^1] == Columns && CountOf(shape) == Count;

    /// <summary>A matrix as a factor of products, to be used while this is referred to.</summary>
    /// <param name="number">Number of the matrix.</param>
    /// <param name="isTransposed">Whether the factor is its transpose.</param>
    public Matrix Matrix(int number, bool isTransposed) => new(null, Stride, isTransposed != IsTransposed)
    {
        Stored = (byte*)_places[number],
        Scales = _scales == null ? null : _scales + (long)number * RowsInMemory,
    };

    /// <summary>Part of a row, of all matrices counted through.</summary>
    /// <param name="row">Number of the row.</param>
    /// <param name="first">First column.</param>
    /// <param name="values">Receives as many numbers as it has room for.</param>
    public void ReadRow(int row, int first, Span<float> values)
    {
        var matrix = Matrix(row / Rows, isTransposed: false);
        row %= Rows;
        if (!IsTransposed)
        {
            matrix.WidenRow(row, first, values);
            return;
        }

        for (var i = 0; i < values.Length; i++)
            matrix.WidenRow(first + i, row, values.Slice(i, 1));
    }

    /// <summary>The numbers of a row in memory, of all matrices counted through.</summary>
    public void ReadMemoryRow(int row, Span<float> values) =>
        Matrix(row / RowsInMemory, isTransposed: false).WidenRow(row % RowsInMemory, 0, values);

    /// <summary>Copies numbers out, row-major.</summary>
    /// <param name="first">Number of the first.</param>
    /// <param name="destination">Receives as many as it has room for; so many must be there.</param>
    public void CopyTo(int first, Span<float> destination) =>
        Copy(first, destination, (matrix, row, column, values) => matrix.WidenRow(row, column, values));

    /// <summary>The whole numbers of matrices in int8, in their order in memory.</summary>
    public sbyte[] ToNumbers()
    {
        var numbers = new sbyte[Length];
        var size = Rows * Columns;
        for (var i = 0; i < Count; i++)
            new ReadOnlySpan<sbyte>((sbyte*)_places[i], size).CopyTo(numbers.AsSpan(i * size, size));
        GC.KeepAlive(_memory);
        return numbers;
    }

    /// <summary>The scales of matrices in int8: one for each row in memory.</summary>
    public float[] ToScales()
    {
        var scales = new ReadOnlySpan<float>(_scales, Count * RowsInMemory).ToArray();
        GC.KeepAlive(_memory);
        return scales;
    }

    /// <summary>Copies the bits of numbers in bfloat16 out, row-major.</summary>
    public void CopyTo(Span<ushort> destination)
    {
        if (Type != ElementType.BFloat16)
            throw new InvalidOperationException("The tensor is not in bfloat16.");
        Copy(0, destination, (matrix, row, column, bits) =>
            new ReadOnlySpan<ushort>(matrix.BFloat16Row(row) + column, bits.Length).CopyTo(bits));
    }

    private static StoredMatrices Int8(int[] shape, bool isTransposed, out MemoryBlock numbers, out MemoryBlock scales)
    {
        var (rows, columns, count) = (shape[^2], shape[^1], CountOf(shape));
        var (rowsOfMatrix, length) = isTransposed ? (columns, rows) : (rows, columns);
        var allRows = checked(count * rowsOfMatrix);
        numbers = new MemoryBlock(((long)allRows * length + sizeof(float) - 1) / sizeof(float));
        scales = new MemoryBlock(allRows);
        var places = new nint[count];
        for (var i = 0; i < places.Length; i++)
            places[i] = (nint)((sbyte*)numbers.Data + (long)i * rows * columns);
        return new StoredMatrices(rows, columns, isTransposed, length, places, [numbers, scales], scales.Data)
        {
            OwnedBytes = sizeof(float) * ((long)numbers.Length + scales.Length),
        };
    }

    private static int CountOf(ReadOnlySpan<int> shape)
    {
        var count = 1;
        foreach (var size in shape[..^2])
            count = checked(count * size);
        return count;
    }

    private void Copy<T>(int first, Span<T> destination, RowReader<T> read)
    {
        while (!destination.IsEmpty)
        {
            var (number, place) = Math.DivRem(first, Rows * Columns);
            var (row, column) = Math.DivRem(place, Columns);
            // whole rows of a matrix together, parts of a row alone
            var rows = column == 0 ? Math.Min(destination.Length / Columns, Rows - row) : 0;
            var length = rows > 0 ? rows * Columns : Math.Min(destination.Length, Columns - column);
            CopyBlock(Matrix(number, isTransposed: false), row, Math.Max(rows, 1), column, destination[..length], read);
            first += length;
            destination = destination[length..];
        }

        GC.KeepAlive(_memory);
    }

    /// <summary>Copies a block of a matrix out, as many columns as its rows have room for.</summary>
    private void CopyBlock<T>(Matrix matrix, int firstRow, int rows, int firstColumn, Span<T> destination, RowReader<T> read)
    {
        const int Strip = 16;
        var columns = destination.Length / rows;
        for (var row = 0; !IsTransposed && row < rows; row++)
            read(matrix, firstRow + row, firstColumn, destination.Slice(row * columns, columns));
        var strip = IsTransposed ? new T[Strip * rows] : [];
        for (var column = 0; IsTransposed && column < columns; column += Strip)
        {
            var width = Math.Min(Strip, columns - column);
            for (var i = 0; i < width; i++)
                read(matrix, firstColumn + column + i, firstRow, strip.AsSpan(i * rows, rows));
            for (var row = 0; row < rows; row++)
            {
                for (var i = 0; i < width; i++)
                    destination[row * columns + column + i] = strip[i * rows + row];
            }
        }
    }

    /// <summary>Writes the numbers of a row.</summary>
    public delegate void ReadNumbers(int row, Span<float> values);

    private delegate void RowReader<T>(Matrix matrix, int row, int column, Span<T> values);
}
