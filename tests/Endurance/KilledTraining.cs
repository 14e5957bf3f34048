using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>A training whose process is killed, time and again, ends with the bits that it would have had.</summary>
internal static class KilledTraining
{
    /// <summary>What the child is told to do.</summary>
    public const string Name = "train";

    private const int Epochs = 60;

    /// <summary>Kills a training and takes it up again.</summary>
    /// <param name="kills">How often at most: a training that ends is begun anew only with the next call.</param>
    /// <param name="whileWriting">Whether while a checkpoint is written; else wherever it is in a step.</param>
    /// <param name="seed">After which steps.</param>
    public static KillReport Run(int kills, bool whileWriting, int seed = 3)
    {
        using var folder = new TemporaryFolder();
        var (checkpoint, result) = (folder["training.checkpoint"], folder["weights.bin"]);
        var draft = checkpoint + AtomicFile.DraftSuffix;
        var random = new Random(seed);
        var (killed, drafts) = (0, 0);
        while (killed < kills && !File.Exists(result))
        {
            // after so many steps, wherever it is by then in the next; each leaves an epoch behind at least, and some are left at the end
            var stamp = File.GetLastWriteTimeUtc(draft);
            using var child = new Child([], Name, checkpoint, result);
            for (var line = whileWriting ? random.Next(2) : random.Next(4, 8); line > 0 && child.Read() is not null; line--)
                child.Answer();
            while (whileWriting && child.Read() is not null)
            {
                child.Answer();
                if (child.WaitFor(draft, stamp))
                    break;
            }

            child.Kill();
            killed += File.Exists(result) ? 0 : 1;
            drafts += File.Exists(draft) ? 1 : 0;
        }

        using (var last = new Child([], Name, checkpoint, result))
            Assert.Equal(0, last.Finish().Code);
        var expected = TinyGenerators.Train(TinyGenerators.Switch, Config(null)).Weights;
        var weights = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(result));
        return new KillReport(killed, drafts, expected.AsSpan().SequenceEqual(weights), [.. folder.Files]);
    }

    /// <summary>The child: trains with a checkpoint, tells of every step, and writes the weights in the end.</summary>
    public static int Train(string checkpoint, string result)
    {
        var (weights, _) = TinyGenerators.Train(
            TinyGenerators.Switch, Config(checkpoint), step: number => Child.Tell(number.ToString(CultureInfo.InvariantCulture)));
        File.WriteAllBytes(result, MemoryMarshal.AsBytes(weights.AsSpan()).ToArray());
        return 0;
    }

    private static GeneratorTrainingConfig Config(string? checkpoint) => new()
    {
        Training = new GeneratorTrainingConfig().Training with
        {
            LearningRate = 1e-3f,
            BatchSize = 8,
            AccumulationSteps = 2,
            MaxEpochs = Epochs,
            GlobalWorkspace = new GlobalWorkspaceSettings(0.3, EntropyUnit.ShareOfTokens),
            CheckpointFile = checkpoint,
        },
    };
}

/// <summary>What has come of kills.</summary>
/// <param name="Kills">How many there were.</param>
/// <param name="Drafts">After how many of them a draft was left: the process was killed while it wrote.</param>
/// <param name="IsWhole">Whether nothing was lost.</param>
/// <param name="Files">What is left in the folder in the end.</param>
internal sealed record KillReport(int Kills, int Drafts, bool IsWhole, string[] Files);
