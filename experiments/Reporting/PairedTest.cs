using System.Globalization;
using MathNet.Numerics.Distributions;

namespace Microsoft.ML.Moe.Experiments.Reporting;

/// <summary>
/// Student's t-test for pairs, two-sided: whether differences that belong together by seed have a mean other than 0. Wilcoxon's test
/// is not given: with five pairs its p is never below 0.06.
/// </summary>
/// <param name="Differences">First minus second, one for each pair.</param>
internal sealed record PairedTest(Sample Differences)
{
    /// <summary>Probability of a mean difference at least as large if there were none; not a number for fewer than two pairs.</summary>
    public double P
    {
        get
        {
            if (Differences.Values.Count < 2)
                return double.NaN;
            if (Differences.StandardError == 0)
                return Differences.Mean == 0 ? 1 : 0;
            var t = Math.Abs(Differences.Mean) / Differences.StandardError;
            return 2 * StudentT.CDF(0, 1, Differences.Values.Count - 1, -t);
        }
    }

    /// <summary>Pairs the values that have the same key in both.</summary>
    public static PairedTest Of<TKey>(IReadOnlyDictionary<TKey, double> first, IReadOnlyDictionary<TKey, double> second)
        where TKey : notnull =>
        new(new Sample([.. first.Where(f => second.ContainsKey(f.Key)).Select(f => f.Value - second[f.Key])]));

    /// <summary>Difference in percentage points, mean ± standard error.</summary>
    public string InPoints() => Differences.Format(100, Sample.Signed);

    /// <summary>Difference in percentage points and p.</summary>
    public string InPointsWithP() => InPoints() + TextOfP;

    /// <summary>Difference, mean ± standard error, and p; see <see cref="Sample.Format"/>.</summary>
    public string WithP(double factor, string meanFormat, string errorFormat) =>
        Differences.Format(factor, meanFormat, errorFormat) + TextOfP;

    private string TextOfP => P switch
    {
        double.NaN => "",
        < 0.001 => ", p < 0.001",
        _ => ", p = " + P.ToString("F3", CultureInfo.InvariantCulture),
    };
}
