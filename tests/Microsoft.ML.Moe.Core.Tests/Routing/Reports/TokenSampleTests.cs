using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing.Reports;

public sealed class TokenSampleTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void Few_tokens_are_all_kept() => Assert.Equal([0, 1, 2, 3, 4], Draw(capacity: 8, 3, 2).Order());

    [Fact]
    public void Of_many_tokens_a_fixed_number_is_kept_none_twice_and_from_everywhere()
    {
        var tokens = Draw(capacity: 100, [.. Enumerable.Repeat(50, 200)]);

        Assert.Equal(100, tokens.Distinct().Count());
        // 10,000 tokens; the mean of 100 fair draws is 5,000 ± 290
        Assert.InRange(tokens.Average(), 4000, 6000);
        Assert.Equal(tokens, Draw(capacity: 100, [.. Enumerable.Repeat(50, 200)]));
    }

    [Fact]
    public void Nothing_is_kept_where_there_is_no_room() => Assert.Empty(Draw(capacity: 0, 5));

    [Fact]
    public void Padding_is_never_drawn()
    {
        var sample = new TokenSample(10);
        using var tape = _engine.BeginTape(training: false);
        sample.Draw(Layer(tape, [1, 2, 3], new SequenceLayout([0, 3], [true, false, true])));

        Assert.Equal([1, 3], sample.Vectors.Select(v => v[0]));
    }

    /// <summary>Draws from batches of tokens that are numbered on from 0, and tells the numbers kept.</summary>
    private List<double> Draw(int capacity, params int[] batches)
    {
        var sample = new TokenSample(capacity);
        var next = 0;
        foreach (var size in batches)
        {
            using var tape = _engine.BeginTape(training: false);
            sample.Draw(Layer(tape, [.. Enumerable.Range(next, size).Select(i => (float)i)], new SequenceLayout([0, size])));
            next += size;
        }

        Assert.All(sample.Vectors, vector => Assert.Equal(-vector[0], vector[1]));
        return [.. sample.Vectors.Select(v => (double)v[0])];
    }

    private static RoutedLayer Layer(Tape tape, float[] tokens, SequenceLayout layout) =>
        new(0, tape, tape.Constant([.. tokens.SelectMany(t => new[] { t, -t })], tokens.Length, 2), null!, null!, layout, null!);
}
