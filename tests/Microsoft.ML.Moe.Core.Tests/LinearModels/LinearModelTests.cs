using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Inputs;
using Xunit;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public class LinearModelTests
{
    [Fact]
    public void AFit_TellsTopicsApart()
    {
        var (training, test) = (Rows.Topics(300, 1), Rows.Topics(300, 2));
        var (chosen, strength) = new LinearFit(3, 2).Choose(training, Rows.Topics(60, 3));
        Assert.Contains(strength, LinearFit.Strengths.ToArray());
        foreach (var model in new[] { chosen, new LinearFit(3, 2).Fit(training, strength) })
            Assert.InRange(Accuracy(model, test), 0.85, 1);
    }

    [Theory]
    [InlineData(300, 0)]
    [InlineData(60, 0)]
    [InlineData(300, 3)]
    [InlineData(100, 2)]
    public void TheChosenStrength_IsAsGoodAsAnyOther(int rows, int everyWrong)
    {
        var (training, heldOut) = (Rows.Topics(rows, 1), Rows.Topics(150, 3));
        training = training with { Labels = [.. training.Labels.Select((label, i) => everyWrong > 0 && i % everyWrong == 0 ? (label + i) % 3 : label)] };

        var (chosen, strength) = new LinearFit(3, 1).Choose(training, heldOut);

        var lowest = LinearFit.Strengths.ToArray().Min(tried => LossOf(new LinearFit(3, 1).Fit(training, tried)));
        Assert.InRange(LossOf(chosen), 0, lowest * 1.01);
        Assert.InRange(LossOf(new LinearFit(3, 1).Fit(training, strength)), 0, lowest * 1.01);

        double LossOf(LinearModel model)
        {
            var logarithms = new float[heldOut.Count * 3];
            model.ScoreLogarithms(heldOut.Rows, logarithms);
            return BranchWeights.LossOf([logarithms], heldOut.Labels, heldOut.Weights, [1.5]);
        }
    }

    [Fact]
    public void WithoutHeldOutRows_TheUsualStrengthIsTaken() =>
        Assert.Equal(LinearFit.UsualStrength, new LinearFit(3, 1).Choose(Rows.Topics(30, 1), new LinearExamples([], [], [])).Strength);

    [Fact]
    public void RowsOfWeightZero_AreNotLearned()
    {
        var examples = Rows.Topics(90, 1);
        var wrong = examples with { Labels = [.. examples.Labels.Select(l => (l + 1) % 3)], Weights = new float[90] };
        Assert.InRange(Accuracy(new LinearFit(3, 1).Fit(examples.With(wrong), 10), Rows.Topics(90, 2)), 0.75, 1);
    }

    [Fact]
    public void AStart_LeadsToTheSameModel()
    {
        var (some, all) = (Rows.Topics(200, 1), Rows.Topics(200, 1).With(Rows.Topics(100, 2)));
        var fit = new LinearFit(3, 1);
        var fromZero = fit.Fit(all, 10);
        var fromSome = fit.Fit(all, 10, fit.Fit(some, 10));
        var (a, b) = (new float[3], new float[3]);
        foreach (var row in Rows.Topics(30, 3).Rows)
        {
            fromZero.ScoreLogarithms(row, a);
            fromSome.ScoreLogarithms(row, b);
            for (var c = 0; c < 3; c++)
                Assert.Equal(a[c], b[c], 0.1f);
        }
    }

    [Fact]
    public void TextsWithoutWords_AreFitted()
    {
        var model = new LinearFit(2, 1).Fit(new LinearExamples([Rows.Of(""), Rows.Of(""), Rows.Of("")], [0, 0, 1], [1, 1, 1]), 100);
        var logarithms = new float[2];
        model.ScoreLogarithms(Rows.Of("unseen"), logarithms);
        Assert.Equal(2 / 3.0, Math.Exp(logarithms[0]), 2);
    }

    [Fact]
    public void Values_BringAModelBack()
    {
        foreach (var model in new[] { new LinearFit(3, 1).Fit(Rows.Topics(60, 1), 10), Pairs() })
        {
            var values = LinearModelValues.Export(model).ToDictionary(v => v.Name);
            var again = LinearModelValues.Import(
                (name, shape) =>
                {
                    Assert.Equal(values[name].Shape, shape);
                    return values[name].Values;
                },
                model.Features.Index.Count,
                LinearModelValues.RowsOf(model),
                model.Features.CountMeans.Length,
                model.Classes);
            Assert.Equal(model.Weights.ToArray(), again.Weights.ToArray());
            var (before, after) = (new float[model.Classes], new float[model.Classes]);
            model.Score(Rows.Of("sun and snow", "rain"), before);
            again.Score(Rows.Of("sun and snow", "rain"), after);
            Assert.Equal(before, after);
        }

        static LinearModel Pairs() => new LinearFit(2, 1).Fit(
            new LinearExamples([Rows.Of("a b", "a b"), Rows.Of("a b", "c"), Rows.Of("c a", "a")], [0, 1, 0], [1, 1, 1]), 10);
    }

    /// <summary>Files from before features shared rows of weights.</summary>
    [Fact]
    public void EarlierValues_BringAModelBack()
    {
        var model = new LinearFit(3, 1).Fit(Rows.Topics(60, 1), 10);
        var values = LinearModelValues.Export(model).ToDictionary(v => v.Name, v => v.Values);
        var count = model.Features.Index.Count;
        Assert.InRange(LinearModelValues.RowsOf(model), 1, count - 1);
        float[] ofEach = [.. values["linear.rows"].SelectMany(row => values["linear.weight"][((int)row * 3)..((int)row * 3 + 3)])];

        var again = LinearModelValues.Import(
            (name, shape) => name switch
            {
                "linear.weight" => ofEach,
                "linear.rows" => throw new InvalidDataException("There are none."),
                _ => values[name],
            },
            count,
            0,
            0,
            3);

        var (before, after) = (new float[3], new float[3]);
        model.Score(Rows.Of("sun and snow, word1 and word2"), before);
        again.Score(Rows.Of("sun and snow, word1 and word2"), after);
        Assert.Equal(before, after);
    }

    [Theory]
    [InlineData(0.5f)]
    [InlineData(-1f)]
    [InlineData(float.NaN)]
    [InlineData(7f)]
    public void DamagedRows_AreNamed(float row)
    {
        var error = Assert.Throws<InvalidDataException>(() => LinearModelValues.Import(Take, 2, 7, 0, 2));
        Assert.Contains("linear.rows", error.Message, StringComparison.Ordinal);

        float[] Take(string name, int[] shape) => name switch
        {
            "linear.features" => [0, 1, 0, 2],
            "linear.rows" => [6, row],
            _ => new float[shape.Aggregate(1, (a, b) => a * b)],
        };
    }

    [Theory]
    [InlineData(0.5f)]
    [InlineData(-1f)]
    [InlineData(float.NaN)]
    [InlineData(1 << 24)]
    public void DamagedFeatures_AreNamed(float half)
    {
        var error = Assert.Throws<InvalidDataException>(() => LinearModelValues.Import((_, _) => [half, 0], 1, 0, 0, 2));
        Assert.Contains("linear.features", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => LinearModelValues.Import((_, _) => [3, 0, 2, 0], 2, 0, 0, 2));
        Assert.Throws<InvalidDataException>(() => LinearModelValues.Import((_, _) => [], 0, 0, 0, 2));
        Assert.Throws<InvalidDataException>(() => LinearModelValues.Import((_, _) => [], 1, 0, 5, 2));
    }

    /// <summary>A file of 35 KB whose configuration named 65,536 classes took 36 MB.</summary>
    [Fact]
    public void NumbersThatTheFileDoesNotHave_TakeNoMemory()
    {
        const int Rows = 132;
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => LinearModelValues.Import(Take, Rows, 0, 0, 1 << 16));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);

        static float[] Take(string name, int[] shape) => name switch
        {
            "linear.features" => [.. Enumerable.Range(0, Rows).SelectMany(row => new float[] { 0, row })],
            "linear.idf" => new float[Rows],
            _ => throw new InvalidDataException($"{name} is of another shape than [{string.Join(", ", shape)}]."),
        };
    }

    [Fact]
    public void AHashedTable_ScoresAsModelsDidBefore()
    {
        const int Bits = 10;
        const int Classes = 5;
        const string Text = "is it the same as before, or is it not the same?";
        var random = new Random(1);
        float[] table = [.. Enumerable.Range(0, (1 << Bits) * Classes).Select(_ => random.NextSingle() - 0.5f)];
        int[] features = [.. Rows.Of(Text).Blocks[0].Select(id => (int)(id >> (LinearRow.HashBits - 31))).Distinct()];
        var expected = new float[Classes];
        foreach (var feature in features)
            for (var c = 0; c < Classes; c++)
                expected[c] += table[(feature >> (31 - Bits)) * Classes + c] / MathF.Sqrt(features.Length);
        var scores = new float[Classes];
        LinearModel.OfHashedTable(table, Bits, Classes).Score(Rows.Of(Text), scores);
        for (var c = 0; c < Classes; c++)
            Assert.Equal(expected[c], scores[c], 1e-6f);
    }

    [Fact]
    public void Scoring_LeavesNothingToTheGarbageCollector()
    {
        var model = new LinearFit(3, 1).Fit(Rows.Topics(60, 1), 10);
        var row = Rows.Of("sun warm snow word1");
        var scores = new float[3];
        model.Score(row, scores);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            model.Score(row, scores);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static double Accuracy(LinearModel model, LinearExamples rows)
    {
        var scores = new float[model.Classes];
        var right = 0;
        for (var i = 0; i < rows.Count; i++)
        {
            model.Score(rows.Rows[i], scores);
            right += scores.AsSpan().IndexOf(scores.Max()) == rows.Labels[i] ? 1 : 0;
        }

        return (double)right / rows.Count;
    }
}
