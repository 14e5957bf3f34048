using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.ML.Moe.Mpi;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Mpi;

/// <summary>
/// A rank: trains a small classifier of texts through ML.NET, and writes the digest of its model. <c>[CHECKPOINT [EPOCH [throws]]]</c>: the last rank
/// kills itself after that epoch, or throws, and every rank catches what its training throws.
/// </summary>
internal static class Program
{
    private static readonly string[] Words = ["river", "stone", "cloud", "amber", "willow", "ember", "frost", "meadow"];

    private static int Main(string[] args)
    {
        using var ranks = MpiCommunicator.Start();
        try
        {
            Train(ranks, args);
            return 0;
        }
        catch (Exception e) when (args.Length > 2)
        {
            Console.Out.Write($"rank {ranks.Rank} caught: {e.Message}\n");
            return 3;
        }
    }

    private static void Train(MpiCommunicator ranks, string[] args)
    {
        var ml = new MLContext(seed: 1);
        var random = new Random(1);
        var rows = Enumerable.Range(0, 120).Select(_ =>
        {
            var first = random.Next(Words.Length);
            return new Row { Text = $"{Words[first]} {Words[random.Next(Words.Length)]} by the {Words[random.Next(Words.Length)]}", Label = $"{first % 3}" };
        }).ToList();
        var options = new MoeTextClassificationTrainer.Options
        {
            Sentence1ColumnName = "Text",
            DataParallel = new DataParallel(ranks),
            CheckpointFile = args.Length > 0 ? args[0] : null,
            EpochCompleted = report =>
            {
                if (args.Length < 2 || $"{report.Epoch}" != args[1] || ranks.Rank != ranks.Size - 1)
                    return;
                if (args.Length > 2)
                    throw new FormatException("the application's own");
                Process.GetCurrentProcess().Kill(); // no handler of MPI's comes between
            },
            Width = 16, Heads = 2, Layers = 1, Experts = 4, ExpertWidth = 16, HashBits = 8, BatchSize = 16, MaxEpochs = 4, Threads = 1,
            Device = MoeDevice.Cpu,
        };
        var pipeline = ml.Transforms.Conversion.MapValueToKey("Label").Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(options));
        using var model = pipeline.Fit(ml.Data.LoadFromEnumerable(rows));
        var score = Enumerable.SelectMany(
            ml.Data.CreateEnumerable<Scored>(model.Transform(ml.Data.LoadFromEnumerable(rows)), reuseRowObject: false), row => row.Score);
        var bytes = score.SelectMany(BitConverter.GetBytes).ToArray();
        // one write, so that the lines of ranks do not mix
        Console.Out.Write($"model {Convert.ToHexString(SHA256.HashData(bytes))} of rank {ranks.Rank} of {ranks.Size} on {ranks.LibraryVersion}\n");
    }

    private sealed class Row
    {
        public string Text { get; set; } = "";

        public string Label { get; set; } = "";
    }

    private sealed class Scored
    {
        public float[] Score { get; set; } = [];
    }
}
