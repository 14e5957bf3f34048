using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Values to go back to, of tables too, of which rows of zeros are left alone.</summary>
public sealed class ParameterSnapshotTests
{
    private const int Rows = 700;
    private const int Width = 7;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_last_values_that_were_taken_come_back(bool sparseRows)
    {
        using var engine = new ManagedEngine();
        var first = new float[Rows * Width];
        first.AsSpan(3 * Width, Width).Fill(1f);
        var parameter = engine.CreateParameter("table", [Rows, Width], first, sparseRows);
        var snapshot = new ParameterSnapshot([parameter]);
        Assert.False(snapshot.IsTaken);
        snapshot.Restore();
        snapshot.Take();

        // one value becomes zero, others no longer are; bits count, so that −0 and what is not a number are what they were
        var later = parameter.Value.ToArray();
        later[3 * Width] = 0f;
        (later[^1], later[5000 / 2], later[1024], later[1023]) = (2f, -0f, float.NaN, -3f);
        parameter.Value.CopyFrom(later);
        snapshot.Take();
        Assert.Equal(Bits(later), Bits(snapshot.Export().Single().Values));

        var last = Enumerable.Range(0, Rows * Width).Select(i => i % 5 == 0 ? 0f : i).ToArray();
        parameter.Value.CopyFrom(last);
        snapshot.Restore();
        Assert.Equal(Bits(later), Bits(parameter.Value.ToArray()));

        var elsewhere = new ParameterSnapshot([parameter]);
        elsewhere.Import([.. snapshot.Export().Select(values => values.Values)]);
        parameter.Value.CopyFrom(last);
        elsewhere.Restore();
        Assert.Equal(Bits(later), Bits(parameter.Value.ToArray()));
    }

    [Fact]
    public void What_was_packed_of_a_table_is_forgotten_when_its_values_come_back()
    {
        using var engine = new ManagedEngine(threads: 1);
        var x = engine.CreateParameter("x", [1, 3], [1f, 1f, 1f]);
        var w = engine.CreateParameter("w", [3, 2], [2f, 2f, 2f, 2f, 2f, 2f], sparseRows: true);
        var snapshot = new ParameterSnapshot([w]);
        snapshot.Take();
        w.Value.CopyFrom([1f, 1f, 1f, 1f, 1f, 1f]);
        Assert.Equal([3f, 3f], Product());
        snapshot.Restore();
        Assert.Equal([6f, 6f], Product());

        float[] Product()
        {
            using var tape = engine.BeginTape(training: false);
            return tape.Linear(x, w).ToArray();
        }
    }

    private static uint[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToUInt32Bits)];
}
