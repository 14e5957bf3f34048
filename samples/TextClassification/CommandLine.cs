using System.CommandLine;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;
using Samples;
using static Samples.CommandOptions;

namespace TextClassification;

/// <summary>Reads the command line and turns failures into one line and an exit code.</summary>
internal static class CommandLine
{
    private static readonly Option<string> Train = Table("--train", "Training rows. Default: sentences of the SDK's documentation.");
    private static readonly Option<string> Validation = Table("--validation", "Rows that choose the best epoch. Optional.");
    private static readonly Option<string> Test = Table("--test", "Rows to evaluate on. Default: a fifth of the training rows.");
    private static readonly Option<string> Label = Name("--label", "Column with the label. Default Label.", "NAME");
    private static readonly Option<string> Text = Name("--text", "Column with the text. Default Text.", "NAME");
    private static readonly Option<string> Model = Name("--model", "Where the model goes.", "FILE");
    private static readonly Option<int?> Seed = Number("--seed", "Seed of weights, shuffling and dropout. Default 1.", int.MinValue);
    private static readonly Option<int?> Epochs = Number("--epochs", "Most passes over the training rows.", 1);
    private static readonly Option<int?> Threads = Number("--threads", "Worker threads. Default: all processors.", 1);
    private static readonly Option<MoeDevice?> Device = Choice<MoeDevice>(
        "--device", "What the model is trained on. Default: a GPU if TorchSharp finds one, else the processor.");
    private static readonly Option<int?> Experts = Number("--experts", "Experts in a MoE layer.", 1);
    private static readonly Option<double?> ExpertsPerToken = Real(
        "--experts-per-token", "Experts that each token is sent to; on average, and fractions allowed, but for token-choice.");
    private static readonly Option<double?> Alpha = Real("--alpha", "Share of the experts' view with --router unified, 0 to 1.");
    private static readonly Option<RouterKind?> Router = Choice<RouterKind>("--router", "How tokens and experts find each other.");
    private static readonly Option<int?> MoeEvery = Number("--moe-every", "Every n-th block has a MoE layer; 0 for none.", 0);
    private static readonly Option<double?> GlobalWorkspace = Real(
        "--global-workspace", "While training, broadcast tokens to all experts from this share of the largest router entropy on, 0 to 1.");
    private static readonly Option<string> Report = Name("--report", "Show what the routers do, and write a page with charts.", "FILE");
    private static readonly Option<bool> CompareRouting = new("--compare-routing")
    {
        Description = "Try other routers on the trained model.",
    };

    /// <summary>Runs the work and gives the exit code: 0, 1 after a failure, 2 when the arguments make no sense.</summary>
    public static int Run(string[] args, Action<Arguments> work) => CommandOptions.Run(Parse(args, work));

    internal static ParseResult Parse(string[] args, Action<Arguments> work)
    {
        var root = new RootCommand("Trains a Mixture-of-Experts text classifier, evaluates it, saves it and predicts with it.")
        {
            Train, Validation, Test, Label, Text, Model, Epochs, Seed, Threads, Device, Router, Experts, ExpertsPerToken,
            Alpha, MoeEvery, GlobalWorkspace, Report, CompareRouting,
        };
        root.Validators.Add(result =>
        {
            if (result.GetResult(Train) is not null)
                return;
            foreach (var option in new[] { Validation, Test, Label, Text })
            {
                if (result.GetResult(option) is not null)
                    result.AddError($"{option.Name} needs --train.");
            }
        });
        root.Validators.Add(result =>
        {
            if (result.GetResult(MoeEvery)?.Tokens is not [{ Value: "0" }])
                return;
            foreach (var option in new Option[] { GlobalWorkspace, Report, CompareRouting })
            {
                if (result.GetResult(option) is { Implicit: false })
                    result.AddError($"{option.Name} needs experts, and there are none with --moe-every 0.");
            }
        });
        root.SetAction(result => Guarded(() => work(Read(result))));
        return root.Parse(args);
    }

    internal static Arguments Read(ParseResult result)
    {
        var defaults = new Arguments();
        return new Arguments
        {
            Train = result.GetValue(Train),
            Validation = result.GetValue(Validation),
            Test = result.GetValue(Test),
            Label = result.GetValue(Label) ?? defaults.Label,
            Text = result.GetValue(Text) ?? defaults.Text,
            Model = Path.GetFullPath(result.GetValue(Model) ?? defaults.Model),
            Seed = result.GetValue(Seed) ?? defaults.Seed,
            Epochs = result.GetValue(Epochs),
            Threads = result.GetValue(Threads),
            Device = result.GetValue(Device),
            Experts = result.GetValue(Experts),
            Router = result.GetValue(Router),
            ExpertsPerToken = result.GetValue(ExpertsPerToken),
            Alpha = result.GetValue(Alpha),
            MoeEvery = result.GetValue(MoeEvery),
            GlobalWorkspace = result.GetValue(GlobalWorkspace),
            Report = result.GetValue(Report) is { } report ? Path.GetFullPath(report) : null,
            CompareRouting = result.GetValue(CompareRouting),
        };
    }

    private static Option<string> Table(string name, string description) =>
        Name(name, description + " Tab-separated, with a header.", "FILE");
}
