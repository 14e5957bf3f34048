using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A training whose process is killed, time and again, ends with the bits that it would have had.</summary>
public sealed class KilledTrainingTests : IDisposable
{
    private const int Kills = 20;
    private const int Epochs = 60;
    private readonly string _folder = Directory.CreateTempSubdirectory("moe").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ATrainingThatIsKilledTwentyTimesEndsAsIfNothingHadHappened()
    {
        var checkpoint = Path.Combine(_folder, "training.checkpoint");
        var result = Path.Combine(_folder, "weights.bin");
        var random = new Random(3);
        for (var kill = 0; kill < Kills; kill++)
        {
            // after so many steps, wherever it is by then in the next; each leaves an epoch behind at least, and some are left at the end
            using var process = Start(checkpoint, result);
            for (var line = random.Next(4, 8); line > 0; line--)
            {
                Assert.NotNull(process.StandardOutput.ReadLine());
                process.StandardInput.WriteLine();
                process.StandardInput.Flush();
            }

            process.Kill();
            process.WaitForExit();
            Assert.False(File.Exists(result));
        }

        Assert.True(File.Exists(checkpoint));
        using (var last = Start(checkpoint, result))
        {
            last.StandardInput.Close();
            last.StandardOutput.ReadToEnd();
            last.WaitForExit();
            Assert.Equal(0, last.ExitCode);
        }

        Assert.Equal(
            TinyGenerators.Train(TinyGenerators.Switch, Config(null)).Weights,
            MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(result)).ToArray());
    }

    /// <summary>Trains with a checkpoint, tells of every step and waits for an answer or the end of the input, and writes the weights in the end.</summary>
    private static int Main(string[] args)
    {
        if (args is not [var checkpoint, var result])
            return 2;
        var (weights, _) = TinyGenerators.Train(TinyGenerators.Switch, Config(checkpoint), step: number =>
        {
            Console.Out.WriteLine(number.ToString(CultureInfo.InvariantCulture));
            Console.In.ReadLine();
        });
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

    private static Process Start(string checkpoint, string result) => Process.Start(
        new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            ArgumentList = { "exec", typeof(KilledTrainingTests).Assembly.Location, checkpoint, result },
        })!;
}
