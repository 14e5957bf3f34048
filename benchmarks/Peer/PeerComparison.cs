using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Benchmarks.Reporting;

namespace Microsoft.ML.Moe.Benchmarks.Peer;

/// <summary>
/// Our text classifier and ML.NET's own, both with default options, on the same rows and the same device: accuracy, time of one fit, and
/// rows scored a second.
/// </summary>
internal sealed class PeerComparison(PeerOptions options)
{
    private const string Id = "peer";
    private const int ScoredRows = 256;

    // Those of ML.NET's messages are not all real ones.
    private static readonly string[] LineEnds = ["\n", @"\n"];

    /// <summary>Compares; gives no figures, and says why, where the other side does not run.</summary>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    public IReadOnlyList<Figure> Run()
    {
        Report.Prepare();
        var (train, test) = (TextRow.Read(options.Train, options.Rows), TextRow.Read(options.Test, options.Rows));
        var folder = Directory.CreateTempSubdirectory("moe-benchmarks-");
        try
        {
            using var theirs = FitTheirs(train, test, folder, out var whyNot);
            if (theirs is null)
            {
                Report.ShowSkipped(Id, whyNot);
                return [];
            }

            var context = CreateContext();
            var trainer = context.MulticlassClassification.Trainers.MoeTextClassifier(new()
            {
                Sentence1ColumnName = nameof(TextRow.Text), Device = options.OnGpu ? MoeDevice.Gpu : MoeDevice.Cpu,
            });
            using var ours = FittedSide.Fit(context, trainer, train, test);
            var figures = Compare(ours, theirs, context.Data.LoadFromEnumerable(test.Take(ScoredRows))).ToArray();
            Report.ShowFigures(
                figures,
                (_, _, _) => 0,
                $"{options.Train.Name}, {train.Length} rows, and {options.Test.Name}, {test.Length}: one fit, median of paired ratios");
            return figures;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private FittedSide? FitTheirs(TextRow[] train, TextRow[] test, DirectoryInfo folder, out string whyNot)
    {
        whyNot = "";
        var context = CreateContext();
        var trainer = TextClassificationPeer.Create(context, options.Weights, folder);
        if (LibTorch.Missing is { } missing)
        {
            whyNot = missing;
            return null;
        }

        try
        {
            return FittedSide.Fit(context, trainer, train, test);
        }
        catch (Exception e)
        {
            // Whatever it is: the packages that are found need not fit each other, and nothing of it is ours.
            var cause = e.GetBaseException();
            whyNot = $"{TextClassificationPeer.Name} cannot run: {cause.GetType().Name}: {cause.Message.Split(LineEnds, StringSplitOptions.None)[0]}";
            return null;
        }
    }

    private IEnumerable<Figure> Compare(FittedSide ours, FittedSide theirs, IDataView scored)
    {
        yield return FigureOf($"accuracy {Percent(ours.Accuracy)}", Percent(theirs.Accuracy), ours.Accuracy / theirs.Accuracy, 0);
        yield return FigureOf("fit, time", "", ours.FitSeconds / theirs.FitSeconds, 0) with
        {
            Seconds = ours.FitSeconds, ReferenceSeconds = theirs.FitSeconds,
        };
        var result = new PairedRunner(options.Rounds).Compare(
            () => TextPipeline.Read(ours.Model.Transform(scored)), () => TextPipeline.Read(theirs.Model.Transform(scored)), inverted: true);
        var rows = scored.GetRowCount()!.Value;
        yield return FigureOf($"scoring, {rows / result.First:F0} rows/s", $"{rows / result.Second:F0} rows/s", result.Ratio, result.Spread) with
        {
            Seconds = result.First, ReferenceSeconds = result.Second,
        };
    }

    private Figure FigureOf(string ours, string theirs, double ratio, double spread)
    {
        var title = $"{options.Train.Name}, {(options.OnGpu ? "GPU" : "CPU")}: {ours} / {TextClassificationPeer.Name} {theirs}".TrimEnd();
        return new Figure(Id, title, options.OnGpu ? 1 : Environment.ProcessorCount, ratio, spread, null);
    }

    // TextClassification takes a GPU where the context names one.
    private MLContext CreateContext() => new(seed: 1) { GpuDeviceId = options.OnGpu ? 0 : null, FallbackToCpu = false };

    private static string Percent(double share) => share.ToString("P1", CultureInfo.InvariantCulture);
}
