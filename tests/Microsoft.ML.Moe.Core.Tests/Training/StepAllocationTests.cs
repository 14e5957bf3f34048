using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>
/// What a training step leaves to the garbage collector, by the runtime's own counters: forward, losses, backward, clipping and update of
/// the default text model. Tensors, packed texts and all scratch memory come from pools. By design remain
/// <list type="bullet">
/// <item>for each token and MoE layer the plan, which is a value that whoever has seen it may keep: the pairs by expert and by token,
/// (3·k + 1) integers, and on several threads the pairs of the runs that it was joined from;</item>
/// <item>for each row the offsets of its tokens in the batch, the runs and the attention's probabilities;</item>
/// <item>for each operation, however large, a handle with its shape, and what its loops and its backward step capture.</item>
/// </list>
/// </summary>
[Collection(nameof(NothingBeside))]
public class StepAllocationTests
{
    private const int Classes = 8;
    private const int Steps = 8;
    private const int Words = 15;
    private const int TokensOfRow = Words + 1;
    private const int ExpertsPerToken = 2;
    private const int Layers = 2;

    /// <summary>Measured are 40 000 to 45 000; the rest is room for a runtime that lays objects out otherwise.</summary>
    private const int BytesOfOperations = 60_000;

    /// <summary>Besides the plan's: offsets of layout and attention, rounded up.</summary>
    private const int BytesOfRow = 64;

    private const int BytesOfToken = Layers * (3 * ExpertsPerToken + 1) * sizeof(int);
    private const int BytesOfTokenInRuns = Layers * ExpertsPerToken * sizeof(int);

    [Theory]
    [InlineData(1, 64, BytesOfToken)]
    [InlineData(2, 128, BytesOfToken + BytesOfTokenInRuns)]
    public void StepAllocatesNoMoreThanPlansAndHandles(int threads, int rows, int bytesOfToken)
    {
        var few = BytesOfStep(threads, rows);
        var many = BytesOfStep(threads, 2 * rows);

        Assert.InRange(few, 1, BytesOfOperations + rows * (BytesOfRow + TokensOfRow * bytesOfToken));
        Assert.InRange(many - few, 1, rows * (BytesOfRow + TokensOfRow * bytesOfToken));
    }

    [Theory]
    [InlineData(RouterKind.ExpertChoice)]
    [InlineData(RouterKind.Unified)]
    public void NorDoesItWithAnotherRouter(RouterKind router)
    {
        var few = BytesOfStep(1, 64, router);
        var many = BytesOfStep(1, 128, router);

        Assert.InRange(many - few, 1, 64 * (BytesOfRow + TokensOfRow * BytesOfToken));
    }

    /// <summary>The median over the last epoch's steps, so that a collection that empties a pool in between does not count.</summary>
    private static long BytesOfStep(int threads, int rows, RouterKind router = RouterKind.TokenChoice)
    {
        using var engine = new ManagedEngine(threads);
        var options = new TextClassifierOptions { BatchSize = rows, MaxEpochs = 3, HashBits = 10, Router = router, Seed = 1 };
        var trainer = new TextClassifierTrainer(options, Classes, engine);
        var random = new Random(1);
        LabelledRow<EncodedText>[] texts = [.. Enumerable.Range(0, rows * Steps).Select(i => new LabelledRow<EncodedText>(trainer.Input.Encode(Text(random)), i % Classes))];
        Assert.All(texts, text => Assert.Equal(TokensOfRow, text.Input.Length));
        var counter = new AllocationCounter(options.MaxEpochs.Value * Steps);
        trainer.Train(texts, observer: counter);
        return counter.BytesOfLastSteps(Steps - 1).Order().ElementAt(Steps / 2);
    }

    private static string Text(Random random) => string.Join(' ', Enumerable.Range(0, Words).Select(_ => $"w{random.Next(2000)}"));

    /// <summary>Reads how much all threads have allocated, after every step.</summary>
    private sealed class AllocationCounter(int steps) : ITrainingObserver
    {
        private readonly List<long> _bytes = new(steps);

        public IEnumerable<long> BytesOfLastSteps(int count) => _bytes.Skip(1).Zip(_bytes, (after, before) => after - before).TakeLast(count);

        public void OnStep(int epoch, int step, int steps, double loss) => _bytes.Add(GC.GetTotalAllocatedBytes(precise: true));

        public void OnEpoch(EpochReport report)
        {
        }
    }
}
