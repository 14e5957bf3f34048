using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Layers;

/// <summary>Parameters as chance makes them.</summary>
public class ParameterStoreTests
{
    private const int Rows = 3000;
    private const int Columns = 20;

    [Fact]
    public void NeitherThreadsNorOtherParametersChangeTheValues()
    {
        using var one = new ManagedEngine(1);
        using var two = new ManagedEngine(2);
        var second = new ParameterStore(two, seed: 3);
        second.Normal("before", ParameterRole.Weight, 1f, 100, 10);

        Assert.Equal(Table(new ParameterStore(one, seed: 3)), Table(second));
    }

    [Fact]
    public void SeedAndNameDo()
    {
        using var engine = new ManagedEngine(1);
        var store = new ParameterStore(engine, seed: 3);
        var tables = new[] { Table(store), Table(store, "other"), Table(new ParameterStore(engine, seed: 4)), Table(new ParameterStore(engine, seed: -3)) };

        Assert.Equal(tables.Length, tables.Select(table => table[0]).Distinct().Count());
        Assert.All(tables, table => Assert.InRange(Math.Sqrt(table.Average(x => x * x)), 0.49, 0.51));
    }

    [Fact]
    public void RowsThatAreNotUsedBeginAtZeroAndTheOthersAsEver()
    {
        using var engine = new ManagedEngine(2);
        var all = Table(new ParameterStore(engine, seed: 3));
        bool[] used = [.. Enumerable.Range(0, Rows).Select(row => row % 7 == 2)];
        var some = new ParameterStore(engine, seed: 3) { UsedRows = used };

        var table = Table(some);

        for (var row = 0; row < Rows; row++)
            Assert.Equal(used[row] ? all[(row * Columns)..((row + 1) * Columns)] : new float[Columns], table[(row * Columns)..((row + 1) * Columns)]);
        Assert.DoesNotContain(0f, some.Normal("weight", ParameterRole.Weight, 1f, Rows, Columns).Value.ToArray());
    }

    [Fact]
    public void WhatTrainingStartsFromIsShownTheValues()
    {
        using var engine = new ManagedEngine(1);
        var started = new ParameterStore(engine, seed: 3, (name, shape, values) => [.. values.Select(x => x + 1)]);

        Assert.Equal(Table(new ParameterStore(engine, seed: 3)).Select(x => x + 1), Table(started));
    }

    private static float[] Table(ParameterStore store, string name = "table") =>
        store.Normal(name, ParameterRole.Embedding, 0.5f, Rows, Columns).Value.ToArray();
}
