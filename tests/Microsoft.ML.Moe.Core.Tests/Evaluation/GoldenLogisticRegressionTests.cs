using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>Logistic regressions end where scikit-learn's do.</summary>
[Trait("Category", "Goldens")]
public class GoldenLogisticRegressionTests
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string, string, string> Sets { get; } = GoldenMetrics.Cases(f => true, "sets");

    [SkippableTheory]
    [MemberData(nameof(Sets))]
    public void EndsAtTheSameMinimum(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var set = file.Case(section, name);
        var (rows, labels) = (file.Rows($"{name}.x"), Array.ConvertAll(file.Values($"{name}.y"), y => (int)y));
        var (classes, c) = (set.GetProperty("classes").GetInt32(), set.GetProperty("C").GetDouble());
        var hasIntercept = set.GetProperty("fit_intercept").GetBoolean();
        Assert.Equal((set.GetProperty("n").GetInt32(), set.GetProperty("d").GetInt32()), (rows.Length, rows[0].Length));

        var model = LogisticRegression.Fit(rows, labels, classes, c, hasIntercept, tolerance: 1e-11, mostSteps: 100_000);

        var (coefficients, intercepts) = (file.Rows($"{name}.coef"), file.Values($"{name}.intercept"));
        for (var o = 0; o < coefficients.Length; o++)
        {
            GoldenMetrics.Close(Doubles(coefficients[o]), model.Weights(o).ToArray(), Tolerance, $"coef[{o}]");
            GoldenMetrics.Close(intercepts[o], model.Intercept(o), Tolerance, $"intercept[{o}]");
        }

        var probabilities = file.Rows($"{name}.probabilities");
        for (var i = 0; i < rows.Length; i++)
            GoldenMetrics.Close(Doubles(probabilities[i]), model.Probabilities(rows[i]), Tolerance, $"probabilities[{i}]");
        GoldenMetrics.Close(set.GetProperty("objective").GetDouble(), model.Objective * rows.Length, Tolerance, "objective");
        GoldenMetrics.Close(set.GetProperty("train_accuracy").GetDouble(), Accuracy(model, rows, labels), 1e-12, "train_accuracy");
        GoldenMetrics.Close(
            set.GetProperty("coef_column_sum_max").GetDouble(),
            Enumerable.Range(0, rows[0].Length)
                .Max(k => Math.Abs(Enumerable.Range(0, coefficients.Length).Sum(o => model.Weights(o)[k]))),
            Tolerance,
            "coef_column_sum_max");
        GoldenMetrics.Close(
            set.GetProperty("intercept_sum").GetDouble(),
            Enumerable.Range(0, coefficients.Length).Sum(model.Intercept),
            Tolerance,
            "intercept_sum");
    }

    [SkippableTheory]
    [MemberData(nameof(Sets))]
    public void WithTheDefaultSettingsEndsAtTheSameStep(string path, string section, string name)
    {
        var file = GoldenMetrics.ReadOrSkip(path);
        var set = file.Case(section, name);
        var (rows, labels) = (file.Rows($"{name}.x"), Array.ConvertAll(file.Values($"{name}.y"), y => (int)y));
        var expected = set.GetProperty("default_settings");

        var model = LogisticRegression.Fit(
            rows,
            labels,
            set.GetProperty("classes").GetInt32(),
            set.GetProperty("C").GetDouble(),
            set.GetProperty("fit_intercept").GetBoolean());

        Assert.Equal(expected.GetProperty("iterations").GetInt32(), model.Steps);
        GoldenMetrics.Close(expected.GetProperty("train_accuracy").GetDouble(), Accuracy(model, rows, labels), 1e-12, "train_accuracy");
        var probabilities = file.Rows($"{name}.probabilities");
        var difference = rows.Zip(probabilities)
            .Max(r => model.Probabilities(r.First).Zip(r.Second).Max(p => Math.Abs(p.First - p.Second)));
        GoldenMetrics.Close(
            expected.GetProperty("max_difference_of_probabilities_at_tol_1e-4_max_iter_100").GetDouble(), difference, 1e-6, "difference");
    }

    private static double Accuracy(LogisticRegression model, float[][] rows, int[] labels) =>
        (double)rows.Where((r, i) => model.Predict(r) == labels[i]).Count() / rows.Length;

    private static double[] Doubles(float[] values) => Array.ConvertAll(values, v => (double)v);
}
