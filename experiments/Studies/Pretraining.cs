using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// The encoder that all fine-tuning starts from: a Switch-like one (8 experts, one for each token), pretrained once on the corpus and
/// kept in the output folder.
/// </summary>
internal sealed class Pretraining(Arguments arguments, DataFolder folder)
{
    public const int Experts = 8;

    private const int Seed = 1;
    private const int FullEpochs = 2;
    private WarmStart? _start;

    /// <summary>What was done, in words.</summary>
    public string Description =>
        $"2 layers of width 128 with {Experts} experts of width 256 in each, one expert for each token, pretrained once by masked words "
        + $"on the corpus ({Epochs} passes).";

    /// <summary>What a result depends on.</summary>
    public string Settings => FormattableString.Invariant($"pretrained {Epochs}x{arguments.Rows?.ToString() ?? "all"}");

    /// <summary>The start of a classifier. Throws unless prepared.</summary>
    public WarmStart Start => _start ?? throw new InvalidOperationException("Prepare comes first.");

    /// <summary>Loads the encoder, or trains and saves it. Goes on where an interrupted training was.</summary>
    public void Prepare(CancellationToken stop)
    {
        var name = Path.Combine(arguments.Output, Settings.Replace(' ', '-'));
        var (config, weights) = (name + ".json", name + ".safetensors");
        using var engine = new ManagedEngine(arguments.Threads);
        if (!File.Exists(config))
        {
            var encoder = Train(engine, name + ".checkpoint", stop);
            stop.ThrowIfCancellationRequested();
            Save(encoder, config, weights);
        }

        using var configStream = File.OpenRead(config);
        using var weightsStream = File.OpenRead(weights);
        _start = WarmStart.From(ModelFiles.LoadText(configStream, weightsStream, engine));
    }

    private int Epochs => arguments.Epochs ?? FullEpochs;

    private Model<EncodedText> Train(ManagedEngine engine, string checkpoint, CancellationToken stop)
    {
        var config = new TextPretrainingConfig();
        config = config with
        {
            Encoder = config.Encoder with { Experts = Experts, Router = Router.TokenChoice(1) },
            Training = config.Training with { MaxEpochs = Epochs, Seed = Seed, CheckpointFile = checkpoint },
        };
        var pretrainer = new TextEncoderPretrainer(config, engine);
        return pretrainer.Train([.. folder.Corpus().SelectMany(pretrainer.Input.EncodePieces)], new Progress(), stop);
    }

    // The file that is looked for is written last.
    private static void Save(Model<EncodedText> encoder, string config, string weights)
    {
        var unfinished = config + ".part";
        using (var weightsStream = File.Create(weights))
        using (var configStream = File.Create(unfinished))
            encoder.Save(configStream, weightsStream);
        File.Move(unfinished, config);
    }

    private sealed class Progress : ITrainingObserver
    {
        private const int StepsBetween = 500;

        public void OnStep(int epoch, int step, int steps, double loss)
        {
            if (step % StepsBetween == 0)
                Tell($"Pretraining, epoch {epoch}: step {step} of {steps}, loss {loss:F3}");
        }

        public void OnEpoch(EpochReport report) => Tell(
            $"Pretraining, epoch {report.Epoch}: loss {report.TrainingLoss:F3}, validation {report.ValidationLoss:F3}, "
            + $"{report.ValidationAccuracy:P1} of hidden words guessed, {report.RowsPerSecond:F0} texts/s");

        private static void Tell(string message) => Console.Error.WriteLine(message);
    }
}
