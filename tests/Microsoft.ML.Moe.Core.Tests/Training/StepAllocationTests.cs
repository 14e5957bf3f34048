using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Routing;
using Microsoft.ML.Moe.Training;
using Xunit.Sdk;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>
/// What training leaves to the garbage collector once it has warmed up, by the runtime's own counters: one <see cref="Random"/> a step,
/// seeded by epoch and step, and nothing else. Tensors and scratch memory, tapes and their handles, operations, plans, packed texts and
/// images are used again by the steps that follow, however their batches differ in shape. Only a batch larger than all before it makes
/// them grow.
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
    private const int Attempts = 3;
    private static readonly TrainingConfig Training = new() { BatchSize = BatchSize, MaxEpochs = Epochs, Seed = 1 };

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
    public void StepsOfAClassifierAllocateNothingButTheirRandomNumbers(RouterKind router, bool hasWorkspace, int threads)
        => AssertOnlyRandom(threads, (engine, counter) =>
    {
        // More tokens in every batch than later, and more of them in the workspace, so more pairs.
        var isDefault = router == new EncoderConfig().Router.Kind && !hasWorkspace;
        Train(fewestWords: MostWords, uncertain: 0.9, observer: null);
        Train(fewestWords: 1, uncertain: 0.3, counter);

        void Train(int fewestWords, double uncertain, ITrainingObserver? observer)
        {
            var config = new TextClassifierConfig
            {
                LinearBranch = false,
                Input = new() { HashBits = 10 },
                Encoder = isDefault ? new() : new() { Width = 64, ExpertWidth = 128, Router = Routers.Default(router) },
                Training = Training with
                {
                    GlobalWorkspace = hasWorkspace ? new GlobalWorkspaceSettings(uncertain, EntropyUnit.ShareOfTokens) : null,
                },
            };
            var trainer = new TextClassifierTrainer(config, Classes, engine);
            var rows = Texts(fewestWords).Select((text, i) => new Example<EncodedText>(trainer.Input.Encode(text), i % Classes));
            trainer.Train([.. rows], observer: observer);
        }
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void NorDoStepsOfPretraining(int threads) => AssertOnlyRandom(threads, (engine, counter) =>
    {
        var config = new TextPretrainingConfig { Input = new() { HashBits = 10 }, Training = Training with { ValidationShare = 0.02f } };
        var trainer = new TextEncoderPretrainer(config, engine);
        EncodedText[] Pieces(int fewestWords) => [.. Texts(fewestWords).SelectMany(trainer.Input.EncodePieces)];

        trainer.Train(Pieces(fewestWords: MostWords));
        trainer.Train(Pieces(fewestWords: 1), counter);
    });

    [Theory]
    [InlineData(1, ImageStem.Patches)]
    [InlineData(2, ImageStem.Patches)]
    [InlineData(1, ImageStem.Convolutional)]
    [InlineData(2, ImageStem.Convolutional)]
    public void NorDoStepsOfAnImageClassifier(int threads, ImageStem stem) => AssertOnlyRandom(threads, (engine, counter) =>
    {
        var config = ToyImages.Config(Epochs).WithTraining(t => t with { BatchSize = BatchSize })
            with { Stem = stem, Augmentation = new() { MaxRotation = 10f, HorizontalFlip = true, EraseRate = 0.5f } };
        var trainer = new ImageClassifierTrainer(config, ToyImages.Input, ToyImages.Classes, engine);

        trainer.Train(ToyImages.Rows(RowCount, seed: 1));
        trainer.Train(ToyImages.Rows(RowCount, seed: 2), observer: counter);
    });

    /// <summary>
    /// Trains until a training left only random numbers, at most <see cref="Attempts"/> times. What a training allocates follows from its seed and
    /// its new engine, so it is the same each time; what the runtime does beside it is not: the arrays that a shared pool gives back after a
    /// collection, for one, at a moment that the finalizer thread chooses.
    /// </summary>
    private static void AssertOnlyRandom(int threads, Action<ManagedEngine, AllocationCounter> train)
    {
        for (var attempt = 1; ; attempt++)
        {
            using var engine = new ManagedEngine(threads);
            var counter = new AllocationCounter();
            train(engine, counter);
            try
            {
                counter.AssertOnlyRandom();
                return;
            }
            catch (XunitException) when (attempt < Attempts)
            {
            }
        }
    }

    // With as many words as possible in all of them, the engine has seen the largest batch before.
    private static IEnumerable<string> Texts(int fewestWords)
    {
        var random = new Random(1);
        for (var row = 0; row < RowCount; row++)
            yield return string.Join(' ', Enumerable.Range(0, random.Next(fewestWords, MostWords + 1)).Select(_ => $"w{random.Next(2000)}"));
    }

    /// <summary>Bytes of a seeded <see cref="Random"/>: on .NET 10 with 64 bits 304, most of them its 56 numbers.</summary>
    private static long BytesOfRandom()
    {
        GC.KeepAlive(new Random(1));
        var before = GC.GetAllocatedBytesForCurrentThread();
        GC.KeepAlive(new Random(2));
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    /// <summary>Reads after every step how much this thread and all threads have allocated.</summary>
    private sealed class AllocationCounter : ITrainingObserver
    {
        private readonly (int Epoch, int Step, long Own, long All, int Collections)[] _steps =
            new (int Epoch, int Step, long Own, long All, int Collections)[Epochs * StepsOfEpoch];
        private int _count;

        public void AssertOnlyRandom()
        {
            Assert.Equal(_steps.Length, _count);

            // Between epochs texts are shuffled; within them, only steps are taken. A collection, which tests beside this one may bring about, takes
            // what shared pools hold: the steps during and after it allocate that anew.
            var steps = _steps.Zip(_steps.Skip(1), _steps.Skip(2))
                .Where(s => s.Second.Epoch == s.Third.Epoch && s.Third.Epoch > WarmUpEpochs && s.First.Collections == s.Third.Collections)
                .Select(s => (First: s.Second, Second: s.Third))
                .ToList();

            // A step makes the random numbers of the next one: the last step of an epoch has none to make.
            var (last, others) = (steps.Where(s => s.Second.Step == StepsOfEpoch).ToList(), steps.Where(s => s.Second.Step < StepsOfEpoch).ToList());
            Assert.NotEmpty(others);
            Assert.All(others, s => Assert.Equal(BytesOfRandom(), s.Second.Own - s.First.Own));
            Assert.All(last, s => Assert.Equal(0, s.Second.Own - s.First.Own));

            // The test host's own threads count here, when they happen to run: what a step's loops left would be there in every step. The
            // last steps are too few to tell.
            Assert.Equal(BytesOfRandom(), others.Min(s => s.Second.All - s.First.All));
        }

        public void OnStep(int epoch, int step, int steps, double loss) => _steps[_count++] =
            (epoch, step, GC.GetAllocatedBytesForCurrentThread(), GC.GetTotalAllocatedBytes(precise: true), GC.CollectionCount(2));

        public void OnEpoch(EpochReport report)
        {
        }
    }
}
