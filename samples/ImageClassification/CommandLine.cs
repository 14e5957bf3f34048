using System.CommandLine;
using Microsoft.ML.Moe;
using static Samples.CommandOptions;

namespace ImageClassification;

/// <summary>Reads the command line.</summary>
internal static class CommandLine
{
    private static readonly Option<string> Data = Name(
        "--data",
        "Training images: a folder with a sub-folder for each class, or a tab-separated table with the columns Label and ImagePath. "
        + "Default: handwritten digits.",
        "FOLDER|FILE");
    private static readonly Option<string> Test = Name(
        "--test", "Images to evaluate on. Default: a fifth of the training images.", "FOLDER|FILE");
    private static readonly Option<int?> Size = Number("--size", "Width and height that images are resized to. Default 64.", 1);
    private static readonly Option<bool> Flip = new("--flip") { Description = "Mirror half of the images while training: for photographs." };
    private static readonly Option<string> Model = Name("--model", "Where the model goes.", "FILE");
    private static readonly Option<int?> Seed = Number("--seed", "Seed of weights, shuffling and dropout. Default 1.", int.MinValue);
    private static readonly Option<int?> Epochs = Number("--epochs", "Most passes over the training images.", 1);
    private static readonly Option<int?> Threads = Number("--threads", "Worker threads. Default: all processors.", 1);
    private static readonly Option<MoeDevice?> Device = Choice<MoeDevice>(
        "--device", "What the model is trained on. Default: a GPU if TorchSharp finds one, else the processor.");
    private static readonly Option<int?> Experts = Number("--experts", "Experts in a MoE layer.", 1);
    private static readonly Option<int?> MoeEvery = Number("--moe-every", "Every n-th block has a MoE layer; 0 for none.", 0);

    /// <summary>Runs the work and gives the exit code: 0, 1 after a failure, 2 when the arguments make no sense.</summary>
    public static int Run(string[] args, Action<Arguments> work) => Samples.CommandOptions.Run(Parse(args, work));

    internal static ParseResult Parse(string[] args, Action<Arguments> work)
    {
        var root = new RootCommand("Trains a Mixture-of-Experts image classifier, evaluates it, saves it and predicts with it.")
        {
            Data, Test, Size, Flip, Model, Epochs, Seed, Threads, Device, Experts, MoeEvery,
        };
        root.Validators.Add(result =>
        {
            if (result.GetResult(Data) is not null)
                return;
            foreach (var option in new Option[] { Test, Size })
                if (result.GetResult(option) is not null)
                    result.AddError($"{option.Name} needs --data.");
        });
        root.SetAction(result => Guarded(() => work(Read(result))));
        return root.Parse(args);
    }

    internal static Arguments Read(ParseResult result)
    {
        var defaults = new Arguments();
        return new Arguments
        {
            Data = result.GetValue(Data),
            Test = result.GetValue(Test),
            Size = result.GetValue(Size),
            Flip = result.GetValue(Flip),
            Model = Path.GetFullPath(result.GetValue(Model) ?? defaults.Model),
            Seed = result.GetValue(Seed) ?? defaults.Seed,
            Epochs = result.GetValue(Epochs),
            Threads = result.GetValue(Threads),
            Device = result.GetValue(Device),
            Experts = result.GetValue(Experts),
            MoeEvery = result.GetValue(MoeEvery),
        };
    }
}
