using System.Globalization;
using Microsoft.ML.Moe.Sweeps.Running;

namespace Microsoft.ML.Moe.Reports;

/// <summary>The drawings of a sweep's page, as SVG: classes of the style sheet give the colours.</summary>
/// <param name="html">Where to.</param>
/// <param name="result">The sweep.</param>
internal sealed class SweepFigures(HtmlWriter html, SweepResult result)
{
    private const int Width = 880;
    private const int Height = 300;
    private const int Margin = 56;
    private const int MostAxes = 9;

    /// <summary>The loss of every trial by its number, and the best so far.</summary>
    public void WriteHistory()
    {
        // epochs are compared by the log-loss always, which is no percentage
        var isSameLoss = TextTask.MetricOf(result.Metric) is null;
        (SweepTrial Trial, double Loss)[] points =
        [
            .. result.Trials.Select(trial => (Trial: trial, Loss: trial.Loss ?? (isSameLoss ? trial.BestEpochLoss : null) ?? double.NaN))
                .Where(point => double.IsFinite(point.Loss)),
        ];
        if (points.Length == 0)
            return;
        var losses = points.Select(point => point.Loss).Order().ToArray();
        // what went quite wrong stands at the upper edge, and does not press all others to the lower
        var (low, high) = (losses[0], Math.Max(losses[(losses.Length - 1) * 3 / 4] * 1.5 - losses[0] * 0.5, losses[0] + 1e-9));
        var last = Math.Max(1, result.Trials[^1].Number);
        Begin(
            "History",
            "The loss of each trial on the validation rows, by its number; of a trial that was stopped, the best of its epochs. The line is the best so far.");
        Legend(("first", "trained to the end"), ("second", "stopped at a rung"), ("reference", "the best so far"));
        BeginDrawing(Height, "Loss by trial");
        foreach (var share in new[] { 0, 0.5, 1 })
            Grid(Y(low + share * (high - low)), $"{low + share * (high - low):0.####}");
        var (best, path) = (double.PositiveInfinity, "");
        foreach (var (trial, loss) in points.Where(point => point.Trial.Loss is not null))
        {
            if (loss < best)
                path += path.Length == 0 ? $"M{N(X(trial.Number))} {N(Y(loss))}" : $"H{N(X(trial.Number))}V{N(Y(loss))}";
            best = Math.Min(best, loss);
        }

        html.Line($"<path class=\"line reference\" d=\"{path}H{N(X(last))}\"/>");
        foreach (var (trial, loss) in points)
        {
            var (kind, text) = (trial.Loss is null ? "second" : "first", loss.ToString("0.0000", CultureInfo.InvariantCulture));
            html.Line($"<circle class=\"dot {kind}\" cx=\"{N(X(trial.Number))}\" cy=\"{N(Y(loss))}\" r=\"4\">");
            html.Line($"<title>Trial {trial.Number}, {trial.Verdict}: {text}</title></circle>");
        }

        html.Line($"<text x=\"{Margin}\" y=\"{Height - 8}\">trial 0</text>");
        html.Line($"<text class=\"end\" x=\"{Width - 12}\" y=\"{Height - 8}\">trial {last}</text>");
        End();

        double X(int number) => Margin + 12 + (double)number / last * (Width - Margin - 36);
        double Y(double loss) => 16 + (1 - (Math.Min(loss, high) - low) / (high - low)) * (Height - 60);
    }

    /// <summary>A line for each trial over an axis for each option, the better ones in front.</summary>
    /// <param name="options">The options, from left to right.</param>
    public void WriteCoordinates(IReadOnlyList<string> options)
    {
        SweepTrial[] trials = [.. result.Leaderboard.Where(trial => trial.Loss is not null || trial.Verdict is SweepVerdict.Stopped).Reverse()];
        if (options.Count == 0 || trials.Length < 2)
            return;
        Axis[] axes = [.. options.Take(MostAxes).Select(option => Axis.Of(option, trials))];
        Begin(
            "Options of all trials",
            "A line for each trial over an axis for each option, the most important on the left. The best third is drawn in front, and the winner thick.");
        Legend(("first", "the best third"), ("rest", "the others"), ("reference", "the winner"));
        BeginDrawing(Height + 40, "Options of all trials");
        foreach (var (rank, trial) in trials.Index())
        {
            var shown = axes.Select((axis, index) => axis.PlaceOf(trial) is { } place ? $"{N(X(index))} {N(Y(place))}" : null).OfType<string>();
            var kind = rank == trials.Length - 1 ? "reference winner" : rank >= trials.Length * 2 / 3 ? "first" : "rest";
            html.Line($"<path class=\"line {kind}\" d=\"M{string.Join('L', shown)}\"><title>Trial {trial.Number}</title></path>");
        }

        foreach (var (index, axis) in axes.Index())
        {
            html.Line($"<path class=\"axis\" d=\"M{N(X(index))} 30V{Height - 20}\"/>");
            html.Line($"<text class=\"middle\" x=\"{N(X(index))}\" y=\"{Height + 14 + index % 2 * 18}\">{axis.Option}</text>");
            foreach (var (text, place) in axis.Ticks)
                html.Line($"<text class=\"tick\" x=\"{N(X(index) + 5)}\" y=\"{N(Y(place) + 4)}\">{text}</text>");
        }

        End();

        double X(int axis) => Margin + (double)axis / Math.Max(1, axes.Length - 1) * (Width - 2 * Margin - 20);
        static double Y(double place) => 30 + (1 - place) * (Height - 50);
    }

    private void Begin(string title, string meaning) => html.Line($"<figure><h3>{title}</h3><p>{meaning}</p>");

    private void BeginDrawing(int height, string title) =>
        html.Line($"<div class=\"scroll\"><svg viewBox=\"0 0 {Width} {height}\" role=\"img\" aria-label=\"{title}\">");

    private void End() => html.Raw("</svg></div></figure>\n");

    private void Grid(double y, FormattableString text)
    {
        html.Line($"<path class=\"axis\" d=\"M{Margin} {N(y)}H{Width - 12}\"/>");
        html.Line($"<text class=\"end\" x=\"{Margin - 6}\" y=\"{N(y + 4)}\">{text.ToString(CultureInfo.InvariantCulture)}</text>");
    }

    private void Legend(params (string CssClass, string Name)[] series)
    {
        html.Raw("<p class=\"legend\">");
        foreach (var (cssClass, name) in series)
            html.Line($"<span class=\"{cssClass}\">{name}</span>");
        html.Raw("</p>\n");
    }

    private static string N(double number) => number.ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>Where an option's values stand on its axis.</summary>
    /// <param name="Option">Its name.</param>
    /// <param name="Ticks">Values with their places, within [0, 1].</param>
    private sealed record Axis(string Option, IReadOnlyList<(string Text, double Place)> Ticks)
    {
        private const int MostNames = 6;
        private Func<string, double> Place { get; init; } = static _ => 0;

        public static Axis Of(string option, IEnumerable<SweepTrial> trials)
        {
            string[] values = [.. trials.Select(trial => trial.Options.GetValueOrDefault(option)).OfType<string>().Distinct()];
            double[] numbers = [.. values.Select(value => double.TryParse(value, CultureInfo.InvariantCulture, out var number) ? number : double.NaN)];
            if (numbers.Length > 1 && numbers.All(double.IsFinite))
            {
                var (min, max) = (numbers.Min(), numbers.Max());
                var isLog = min > 0 && max / min > 20;
                Func<double, double> scale = isLog ? Math.Log : static number => number;
                return new(option, [(Text(min), 0), (Text(max), 1)])
                {
                    Place = value => (scale(double.Parse(value, CultureInfo.InvariantCulture)) - scale(min)) / (scale(max) - scale(min)),
                };
            }

            string[] names = [.. values.Order(StringComparer.Ordinal)];
            return new(option, [.. names.Take(MostNames).Select((name, place) => (DisplayText.Token(name), PlaceOf(place)))])
            {
                Place = value => PlaceOf(Array.IndexOf(names, value)),
            };

            double PlaceOf(int place) => names.Length < 2 ? 0.5 : (double)place / (names.Length - 1);
            static string Text(double number) =>
                number.ToString(Math.Abs(number) is > 0 and < 1e-3 ? "G2" : "0.####", CultureInfo.InvariantCulture);
        }

        public double? PlaceOf(SweepTrial trial) => trial.Options.TryGetValue(Option, out var value) ? Place(value) : null;
    }
}
