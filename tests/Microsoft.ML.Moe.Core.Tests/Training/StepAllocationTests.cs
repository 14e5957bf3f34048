using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>
/// What training leaves to the garbage collector once it has warmed up, by the runtime's own counters: nothing. Tensors and scratch
/// memory, tapes and their handles, operations, plans, packed texts and each step's chance are used again by the steps that follow,
/// however their batches differ in shape.
/// </summary>
[Collection(nameof(NothingBeside))]
public class StepAllocationTests
{
    private const int Classes = 5;
    private const int Rows = 32;
    private const int StepsOfEpoch = 20;
    private const int Epochs = 4;

    /// <summary>Longer than most texts are, so that the first epoch is unlikely to have seen the largest batch of all.</summary>
    private const int MostWords = 30;

    public static TheoryData<RouterKind, GlobalWorkspaceRule?, int> Trainings
    {
        get
        {
            var data = new TheoryData<RouterKind, GlobalWorkspaceRule?, int>();
            foreach (var router in Enum.GetValues<RouterKind>())
            {
                foreach (var rule in new GlobalWorkspaceRule?[] { null, GlobalWorkspaceRule.Paper, GlobalWorkspaceRule.AsReleased })
                {
                    data.Add(router, rule, 1);
                    data.Add(router, rule, 2);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Trainings))]
    public void StepsOfAClassifierAllocateNothing(RouterKind router, GlobalWorkspaceRule? rule, int threads)
    {
        using var engine = new ManagedEngine(threads);
        var options = new TextClassifierOptions { BatchSize = Rows, MaxEpochs = Epochs, HashBits = 10, Router = router, Seed = 1 };
        if (rule is { } given)
            options.GlobalWorkspace = new GlobalWorkspaceSettings(0.3, EntropyUnit.ShareOfTokens, Rule: given);
        var trainer = new TextClassifierTrainer(options, Classes, engine);
        LabelledText[] texts = [.. Texts().Select((text, i) => new LabelledText(trainer.Input.Encode(text), i % Classes))];
        var counter = new AllocationCounter();

        trainer.Train(texts, observer: counter);

        counter.AssertNothing();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void NorDoStepsOfPretraining(int threads)
    {
        using var engine = new ManagedEngine(threads);
        var options = new TextPretrainingOptions { BatchSize = Rows, MaxEpochs = Epochs, HashBits = 10, Seed = 1 };
        var trainer = new TextEncoderPretrainer(options, engine);
        EncodedText[] texts = [.. Texts().SelectMany(trainer.Input.EncodePieces)];
        var counter = new AllocationCounter();

        trainer.Train(texts, counter);

        counter.AssertNothing();
    }

    private static IEnumerable<string> Texts()
    {
        var random = new Random(1);
        for (var row = 0; row < Rows * StepsOfEpoch - Rows / 2; row++)
            yield return string.Join(' ', Enumerable.Range(0, random.Next(1, MostWords + 1)).Select(_ => $"w{random.Next(2000)}"));
    }

    /// <summary>Reads after every step how much this thread and all threads have allocated.</summary>
    private sealed class AllocationCounter : ITrainingObserver
    {
        private readonly (int Epoch, long Own, long All)[] _steps = new (int Epoch, long Own, long All)[Epochs * StepsOfEpoch];
        private int _count;

        public void AssertNothing()
        {
            Assert.Equal(_steps.Length, _count);

            // Between epochs texts are shuffled and weights judged; within them, only steps are taken.
            var steps = _steps.Zip(_steps.Skip(1)).Where(s => s.First.Epoch == s.Second.Epoch && s.Second.Epoch > 1).ToList();
            Assert.All(steps, step => Assert.Equal(0, step.Second.Own - step.First.Own));
            Assert.All(steps, step => Assert.Equal(0, step.Second.All - step.First.All));
        }

        public void OnStep(int epoch, int step, int steps, double loss) => _steps[_count++] =
            (epoch, GC.GetAllocatedBytesForCurrentThread(), GC.GetTotalAllocatedBytes(precise: true));

        public void OnEpoch(EpochReport report)
        {
        }
    }
}
