using Microsoft.ML.Moe.Models;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>An exported file as ONNX Runtime runs it.</summary>
internal sealed class OnnxFile : IDisposable
{
    /// <summary>How far what it computes may be from what the model does.</summary>
    public const float Tolerance = 1e-5f;

    private readonly SessionOptions _options = new() { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
    private readonly InferenceSession _session;

    public OnnxFile(string path) => _session = new InferenceSession(path, _options);

    /// <summary>Names of the inputs.</summary>
    public IEnumerable<string> Inputs => _session.InputMetadata.Keys;

    /// <summary>Names of the outputs.</summary>
    public IEnumerable<string> Outputs => _session.OutputMetadata.Keys;

    /// <summary>Numbers of an input, row-major.</summary>
    public static NamedOnnxValue Input<T>(string name, T[] values, params int[] shape) =>
        NamedOnnxValue.CreateFromTensor(name, new DenseTensor<T>(values, shape));

    /// <summary>Numbers of one output.</summary>
    public float[] Run(string output, params IReadOnlyCollection<NamedOnnxValue> inputs)
    {
        using var results = _session.Run(inputs, [output]);
        return [.. results[0].AsEnumerable<float>()];
    }

    /// <summary>
    /// Compares row by row. A few rows may be off, where two experts' scores differ by less than single precision tells (see
    /// <see cref="NearTies"/>): a token then goes to the other. Of a model without experts there are none.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">Encoded by its input.</param>
    /// <param name="expected">What the model gives for them.</param>
    /// <param name="actual">What the file gives.</param>
    /// <param name="columns">Numbers of a row.</param>
    /// <param name="fewRows">How many rows may be off at most.</param>
    public static void Close<TRow>(Model<TRow> model, IReadOnlyList<TRow> rows, float[] expected, float[] actual, int columns, int fewRows)
    {
        var off = RowsOff(expected, actual, columns);
        AssertFew(off, expected, actual, columns, fewRows);
        if (off.Count > 0)
            Assert.Subset(NearTies.Of(model, rows), off.ToHashSet());
    }

    /// <summary>As above, where no row may be off.</summary>
    public static void Close(float[] expected, float[] actual, int columns) =>
        AssertFew(RowsOff(expected, actual, columns), expected, actual, columns, fewRows: 0);

    private static List<int> RowsOff(float[] expected, float[] actual, int columns)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(actual, value => Assert.True(float.IsFinite(value)));
        // rows that are all alike would agree whatever the graph computes
        Assert.True(expected.Where((_, i) => i % columns == 0).Distinct().Count() > expected.Length / columns / 4);
        return
        [
            .. Enumerable.Range(0, expected.Length / columns)
                .Where(row => Enumerable.Range(row * columns, columns)
                    .Any(i => Math.Abs(expected[i] - actual[i]) > Tolerance * Math.Max(1f, Math.Abs(expected[i])))),
        ];
    }

    private static void AssertFew(List<int> off, float[] expected, float[] actual, int columns, int fewRows) => Assert.True(
        off.Count <= fewRows,
        $"{off.Count} of {expected.Length / columns} rows are off, row {off.FirstOrDefault()} by "
        + $"{Enumerable.Range(0, expected.Length).Max(i => Math.Abs(expected[i] - actual[i])):g3} at most.");

    public void Dispose()
    {
        _session.Dispose();
        _options.Dispose();
    }
}
