using System.Globalization;
using MathNet.Numerics.Statistics;

namespace Microsoft.ML.Moe.Experiments.Reporting;

/// <summary>Values of the same quantity, one for each seed.</summary>
internal sealed record Sample(IReadOnlyList<double> Values)
{
    /// <summary>Format of a difference.</summary>
    public const string Signed = "+0.00;−0.00;0.00";

    private const string Unsigned = "0.00";
    private const string None = "–";

    public double Mean => Values.Mean();

    /// <summary>Standard error of the mean, s/√n; not a number for fewer than two values.</summary>
    public double StandardError => Values.StandardDeviation() / Math.Sqrt(Values.Count);

    /// <summary>A share in per cent, as mean ± standard error.</summary>
    public string InPercent() => Format(100, Unsigned);

    /// <summary>Mean ± standard error, both times a factor; the mean alone of a single value.</summary>
    public string Format(double factor, string meanFormat, string errorFormat = Unsigned)
    {
        if (Values.Count == 0)
            return None;
        var mean = (factor * Mean).ToString(meanFormat, CultureInfo.InvariantCulture);
        return Values.Count == 1 ? mean : mean + " ± " + (factor * StandardError).ToString(errorFormat, CultureInfo.InvariantCulture);
    }
}
