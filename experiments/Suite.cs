using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Experiments.Studies;
using Microsoft.ML.Moe.Experiments.Studies.GeneratorTuning;
using Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

namespace Microsoft.ML.Moe.Experiments;

/// <summary>All studies.</summary>
internal static class Suite
{
    private const string LogFile = "runs.jsonl";

    private static readonly Dictionary<string, Func<Arguments, DataFolder, IStudy>> Studies = new()
    {
        ["finetune"] = (arguments, folder) => new FineTuneStudy(arguments, folder),
        ["routers"] = (arguments, folder) => new RouterStudy(arguments, folder),
        ["flops"] = (arguments, folder) => new FlopsStudy(arguments, folder),
        ["linear"] = (arguments, _) => new LinearStudy(arguments),
        ["language-model"] = (arguments, _) => new LanguageModelStudy(arguments),
        ["pretrain-causal"] = (arguments, _) => PretrainStudy.Causal(arguments),
        ["pretrain-switch"] = (arguments, _) => PretrainStudy.Switch(arguments),
        ["text-to-text"] = (arguments, folder) => new TextToTextStudy(arguments, folder),
        ["training-free"] = (arguments, _) => new TrainingFreeStudy(arguments),
        ["corruption"] = (arguments, folder) => new CorruptionStudy(arguments, folder),
        ["uncertainty"] = (arguments, folder) => new UncertaintyStudy(arguments, folder),
        ["images"] = (arguments, _) => new ImageStudy(arguments),
        ["image-stems"] = (arguments, _) => new ImageStemStudy(arguments),
        ["image-encoder"] = (arguments, _) => new ImageEncoderStudy(arguments),
        ["shape-experts"] = (arguments, _) => new ShapeExpertsStudy(arguments),
        ["inference"] = (arguments, folder) => new InferenceStudy(arguments, folder),
    };

    // they take hours, or a model that was pretrained before
    private static readonly string[] Apart =
    [
        "language-model", "pretrain-causal", "pretrain-switch", "text-to-text", "training-free", "corruption", "uncertainty", "images", "image-stems",
        "image-encoder", "shape-experts",
    ];

    public static IEnumerable<string> Names => Studies.Keys;

    /// <summary>The studies that need nothing but the data.</summary>
    public static IEnumerable<string> All => Names.Except(Apart);

    /// <summary>Makes the runs that the output folder does not hold yet, and writes each study's tables there and to the console.</summary>
    public static void Run(Arguments arguments, CancellationToken stop)
    {
        Directory.CreateDirectory(arguments.Output);
        var log = new RunLog(Path.Combine(arguments.Output, LogFile));
        var folder = new DataFolder(arguments.Data, arguments.Rows);
        foreach (var name in arguments.Studies)
        {
            var study = Studies[name](arguments, folder);
            if (!arguments.ReportOnly)
                Execute(study, log, arguments, stop);
            var report = study.Report(log) + Completeness(study, log);
            File.WriteAllText(Path.Combine(arguments.Output, name + ".md"), report);
            Console.WriteLine(report);
        }
    }

    private static string Completeness(IStudy study, RunLog log)
    {
        Run[] runs = [.. study.Runs];
        var finished = runs.Count(run => log.Find(run.Key) is not null);
        return finished == runs.Length ? "" : $"\nNot complete: {finished} of {runs.Length} runs are finished.\n";
    }

    private static void Execute(IStudy study, RunLog log, Arguments arguments, CancellationToken stop)
    {
        Run[] open =
            [.. study.Runs.Where(run => log.Find(run.Key) is null && arguments.Arms?.Contains(run.Key.Arm, StringComparer.Ordinal) != false)];
        if (open.Length == 0)
            return;
        study.Prepare(stop);
        new Runner(log, study.MeasuresTime ? 1 : arguments.Parallel, arguments.Threads).Execute(open, stop);
    }
}
