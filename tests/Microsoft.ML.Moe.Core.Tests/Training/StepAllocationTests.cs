using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>
/// What training leaves to the garbage collector once it has warmed up, by the runtime's own counters: nothing. Tensors and scratch
/// memory, tapes and their handles, operations, plans, packed texts and images and each step's chance are used again by the steps that follow,
/// however their batches differ in shape. Only a batch larger than all before it makes them grow.
/// </summary>
[Collection(nameof(NothingBeside))]
public class StepAllocationTests
{
    private const int Classes = 5;
    private const int BatchSize = 32;
    private const int StepsOfEpoch = 20;
    // The last batch is smaller.
    private const int RowCount = BatchSize * StepsOfEpoch - BatchSize / 2;
    private const int Epochs = 3;
    private const int WarmUpEpochs = 1;
    private const int MostWords = 30;

    public static TheoryData<RouterKind, bool, int> Trainings
    {
        get
        {
            var data = new TheoryData<RouterKind, bool, int>();
            foreach (var router in Enum.GetValues<RouterKind>())
            {
                foreach (var hasWorkspace in new[] { false, true })
                {
                    data.Add(router, hasWorkspace, 1);
                    data.Add(router, hasWorkspace, 2);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Trainings))]
    public void StepsOfAClassifierAllocateNothing(RouterKind router, bool hasWorkspace, int threads)
    {
        using var engine = new ManagedEngine(threads);
        var counter = new AllocationCounter();

        // More tokens in every batch than later, and more of them in the workspace, so more pairs.
        Train(fewestWords: MostWords, uncertain: 0.9, observer: null);
        Train(fewestWords: 1, uncertain: 0.3, counter);

        counter.AssertNothing();

        void Train(int fewestWords, double uncertain, ITrainingObserver? observer)
        {
            var options = new TextClassifierOptions { BatchSize = BatchSize, MaxEpochs = Epochs, HashBits = 10, Router = router, Seed = 1 };
            if (hasWorkspace)
                options.GlobalWorkspace = new GlobalWorkspaceSettings(uncertain, EntropyUnit.ShareOfTokens);
            var trainer = new TextClassifierTrainer(options, Classes, engine);
            var rows = Texts(fewestWords).Select((text, i) => new LabelledRow<EncodedText>(trainer.Input.Encode(text), i % Classes));
            trainer.Train([.. rows], observer: observer);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void NorDoStepsOfPretraining(int threads)
    {
        using var engine = new ManagedEngine(threads);
        var options = new TextPretrainingOptions { BatchSize = BatchSize, MaxEpochs = Epochs, HashBits = 10, Seed = 1 };
        var trainer = new TextEncoderPretrainer(options, engine);
        EncodedText[] Pieces(int fewestWords) => [.. Texts(fewestWords).SelectMany(trainer.Input.EncodePieces)];
        var counter = new AllocationCounter();

        trainer.Train(Pieces(fewestWords: MostWords));
        trainer.Train(Pieces(fewestWords: 1), counter);

        counter.AssertNothing();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void NorDoStepsOfAnImageClassifier(int threads)
    {
        using var engine = new ManagedEngine(threads);
        var options = ToyImages.Options(Epochs);
        (options.BatchSize, options.MaxRotation, options.HorizontalFlip, options.EraseRate) = (BatchSize, 10f, true, 0.5f);
        var trainer = new ImageClassifierTrainer(options, ToyImages.Input, ToyImages.Classes, engine);
        var counter = new AllocationCounter();

        trainer.Train(ToyImages.Rows(RowCount, seed: 1));
        trainer.Train(ToyImages.Rows(RowCount, seed: 2), observer: counter);

        counter.AssertNothing();
    }

    // With as many words as possible in all of them, the engine has seen the largest batch before.
    private static IEnumerable<string> Texts(int fewestWords)
    {
        var random = new Random(1);
        for (var row = 0; row < RowCount; row++)
            yield return string.Join(' ', Enumerable.Range(0, random.Next(fewestWords, MostWords + 1)).Select(_ => $"w{random.Next(2000)}"));
    }

    /// <summary>Reads after every step how much this thread and all threads have allocated.</summary>
    private sealed class AllocationCounter : ITrainingObserver
    {
        private readonly (int Epoch, long Own, long All)[] _steps = new (int Epoch, long Own, long All)[Epochs * StepsOfEpoch];
        private int _count;

        public void AssertNothing()
        {
            Assert.Equal(_steps.Length, _count);

            // Between epochs texts are shuffled; within them, only steps are taken.
            var steps = _steps.Zip(_steps.Skip(1)).Where(s => s.First.Epoch == s.Second.Epoch && s.Second.Epoch > WarmUpEpochs).ToList();
            var own = steps.Select(s => s.Second.Own - s.First.Own).ToList();
            var all = steps.Select(s => s.Second.All - s.First.All).ToList();

            Assert.All(own, bytes => Assert.Equal(0, bytes));

            // The test host's own threads count here, when they happen to run: what a step's loops left would be there in every step.
            Assert.Equal(0, all.Min());
        }

        public void OnStep(int epoch, int step, int steps, double loss) => _steps[_count++] =
            (epoch, GC.GetAllocatedBytesForCurrentThread(), GC.GetTotalAllocatedBytes(precise: true));

        public void OnEpoch(EpochReport report)
        {
        }
    }
}
