namespace Microsoft.ML.Moe.Training;

/// <summary>
/// How a learning rate goes over the steps of a training: functions from the number of steps taken so far to a factor on the peak. The
/// published schedules, those of transformers and torch, are made of these.
/// </summary>
internal static class LearningRateCurves
{
    /// <summary>A straight line.</summary>
    public static double Linear(double progress) => progress;

    /// <summary>Half a cosine wave.</summary>
    public static double Cosine(double progress) => (1 - Math.Cos(Math.PI * progress)) / 2;

    /// <summary>Fast at first: √progress.</summary>
    public static double SquareRoot(double progress) => Math.Sqrt(progress);

    /// <summary>Fast at the end: 1 − √(1 − progress).</summary>
    public static double LateSquareRoot(double progress) => 1 - Math.Sqrt(1 - progress);

    /// <summary>Fast at first: what is left of the way is the power of what is left of the steps.</summary>
    public static Func<double, double> Power(double power) => progress => 1 - Math.Pow(1 - progress, power);

    /// <summary>So many half cosine waves, there and back.</summary>
    public static Func<double, double> HalfWaves(double count) => progress => (1 - Math.Cos(Math.PI * count * progress)) / 2;

    /// <summary>Always the peak.</summary>
    public static Func<double, double> Constant { get; } = _ => 1;

    /// <summary>A straight line from 0 to the peak, then another curve, whose steps count from there.</summary>
    /// <param name="steps">Steps of the warm-up; the first has the factor 0 where there is one.</param>
    /// <param name="after">What follows.</param>
    public static Func<double, double> WarmUp(double steps, Func<double, double> after) =>
        step => step < steps ? step / steps : after(step - steps);

    /// <summary>From the peak to an end, on one way.</summary>
    /// <param name="steps">Steps that it takes.</param>
    /// <param name="ease">How far along the way it is, from the share of the steps.</param>
    /// <param name="end">Factor at the end.</param>
    /// <param name="continues">Whether it goes on afterwards as the way would, rather than to stay at the end.</param>
    public static Func<double, double> Fall(double steps, Func<double, double> ease, double end = 0, bool continues = false) => step =>
    {
        var progress = step / Math.Max(1, steps);
        return 1 - (1 - end) * ease(continues ? progress : Math.Min(1, progress));
    };

    /// <summary>Cosine waves that fall to 0 and start again at the peak; 0 afterwards (Loshchilov and Hutter 2017, "SGDR", with equal runs).</summary>
    /// <param name="steps">Steps of all runs together.</param>
    /// <param name="runs">Number of runs.</param>
    public static Func<double, double> Restarts(double steps, double runs) => step =>
    {
        var progress = step / Math.Max(1, steps);
        return progress < 1 ? 1 - Cosine(runs * progress % 1) : 0;
    };

    /// <summary>Cosine waves that fall to an end and start again at the peak, each longer than the one before (SGDR, equation 5).</summary>
    /// <param name="first">Steps of the first run, at least 1.</param>
    /// <param name="growth">How many times longer each next run is, at least 1.</param>
    /// <param name="end">Factor at the end of a run.</param>
    public static Func<double, double> GrowingRestarts(int first, int growth, double end) => step =>
    {
        double length = first;
        while (step >= length)
        {
            step -= length;
            length *= growth;
        }

        return 1 - (1 - end) * Cosine(step / length);
    };

    /// <summary>The inverse square root of the steps (Vaswani et al. 2017, section 5.3), from the peak on.</summary>
    /// <param name="timescale">Steps after which it has fallen to 1/√2; those of the warm-up in the paper. Over 0.</param>
    public static Func<double, double> InverseSquareRoot(double timescale) => step => 1 / Math.Sqrt((step + timescale) / timescale);

    /// <summary>Multiplied by a rate after every so many steps.</summary>
    /// <param name="rate">The rate.</param>
    /// <param name="every">Steps between, at least 1.</param>
    public static Func<double, double> Exponential(double rate, int every = 1) => step => Math.Pow(rate, Math.Floor(step / every));

    /// <summary>Multiplied by a rate at each milestone.</summary>
    /// <param name="rate">The rate.</param>
    /// <param name="milestones">Numbers of steps.</param>
    public static Func<double, double> Milestones(double rate, IReadOnlyList<int> milestones) =>
        step => Math.Pow(rate, milestones.Count(milestone => milestone <= step));

    /// <summary>One way after the other; afterwards it stays at the end.</summary>
    /// <param name="start">Where the first begins.</param>
    /// <param name="phases">The ways.</param>
    public static Func<double, double> Phases(double start, params IReadOnlyList<RatePhase> phases) => step =>
    {
        var (from, rest) = (start, step);
        foreach (var phase in phases)
        {
            if (rest < phase.Steps)
                return from + (phase.To - from) * phase.Ease(rest / phase.Steps);
            rest -= phase.Steps;
            from = phase.To;
        }

        return from;
    };

    /// <summary>
    /// Up to the peak and down again within one training, and with three phases as far down as it went up before it falls to the end (Smith
    /// and Topin 2018, "Super-convergence"). Momentum goes the other way round: the peak is then the smallest.
    /// </summary>
    /// <param name="steps">Steps in all.</param>
    /// <param name="start">Factor of the first step.</param>
    /// <param name="peak">Factor of the peak.</param>
    /// <param name="end">Factor of the last step.</param>
    /// <param name="risingShare">Share of the steps until the peak.</param>
    /// <param name="ease">How it goes.</param>
    /// <param name="hasThreePhases">Whether the way down has two phases.</param>
    public static Func<double, double> OneCycle(
        double steps, double start, double peak, double end, double risingShare, Func<double, double> ease, bool hasThreePhases = false)
    {
        var rising = risingShare * steps - 1;
        var falling = hasThreePhases ? risingShare * steps - 1 : 0;
        var last = new RatePhase(steps - 1 - rising - falling, end, ease);
        return hasThreePhases
            ? Phases(start, new RatePhase(rising, peak, ease), new RatePhase(falling, start, ease), last)
            : Phases(start, new RatePhase(rising, peak, ease), last);
    }
}

/// <summary>One way of a learning rate's factor.</summary>
/// <param name="Steps">Steps that it takes.</param>
/// <param name="To">Factor at its end.</param>
/// <param name="Ease">How far along the way it is, from the share of its steps.</param>
internal readonly record struct RatePhase(double Steps, double To, Func<double, double> Ease);
