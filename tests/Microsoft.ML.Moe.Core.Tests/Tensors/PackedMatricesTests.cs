using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>In inference weights are packed once; nobody may see that.</summary>
public sealed class PackedMatricesTests
{
    private const int Width = 20;
    private const int HiddenWidth = 70;
    private const int Experts = 3;
    private readonly float[] _x = TestNumbers.Normal(1, 50 * Width);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(50)]
    public void InferenceGivesWhatTrainingGivesToTheLastBit(int rows)
    {
        using var engine = new ManagedEngine(2);
        var model = new Model(engine);
        var expected = model.Run(engine, _x.AsSpan(0, rows * Width), training: true);
        for (var pass = 0; pass < 3; pass++)
            Assert.Equal(expected, model.Run(engine, _x.AsSpan(0, rows * Width), training: false));
    }

    [Fact]
    public void NewValuesAreSeen()
    {
        using var engine = new ManagedEngine(1);
        var model = new Model(engine);
        var before = model.Run(engine, _x, training: false);
        model.Weight.Value.CopyFrom(TestNumbers.Normal(9, Width * Width));
        var after = model.Run(engine, _x, training: false);
        Assert.NotEqual(before, after);
        Assert.Equal(model.Run(engine, _x, training: true), after);
    }

    [Fact]
    public void StepsOfAnOptimizerAreSeen()
    {
        using var engine = new ManagedEngine(1);
        var model = new Model(engine);
        using var optimizer = engine.CreateAdamW([new ParameterGroup(model.All, 0.1f)]);
        for (var step = 0; step < 3; step++)
        {
            var before = model.Run(engine, _x, training: false);
            model.Descend(engine, _x);
            optimizer.Step(1f);
            var after = model.Run(engine, _x, training: false);
            Assert.NotEqual(before, after);
            Assert.Equal(model.Run(engine, _x, training: true), after);
        }
    }

    [Fact]
    public void ManyThreadsMayAskFirst()
    {
        using var engine = new ManagedEngine(2);
        var model = new Model(engine);
        var expected = model.Run(engine, _x, training: true);
        for (var round = 0; round < 20; round++)
        {
            model.Weight.Value.CopyFrom(model.Weight.Value.ToArray());
            Parallel.For(0, 8, _ => Assert.Equal(expected, model.Run(engine, _x, training: false)));
        }
    }

    [Theory]
    [InlineData(InferencePrecision.Full, 4)]
    [InlineData(InferencePrecision.BFloat16, 2)]
    public void TheyCountInTheEnginesMemoryAsLongAsTheyAreThere(InferencePrecision precision, int bytesOfValue)
    {
        const int width = 512;
        using var engine = new ManagedEngine(2);
        var weight = engine.CreateParameter("weight", [width, width], TestNumbers.Normal(2, width * width));
        Run(training: true);
        var buffers = engine.PeakMemory;
        Assert.Equal(0, engine.PackedWeights);

        Run(training: false);

        Assert.Equal(bytesOfValue * width * width, engine.PackedWeights);
        Assert.Equal(buffers + engine.PackedWeights, engine.PeakMemory);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(precision == InferencePrecision.Full ? 4 * width * width : 0, engine.PackedWeights);
        Assert.Equal(buffers + bytesOfValue * width * width, engine.PeakMemory);
        GC.KeepAlive(weight);

        // a method of its own, so that nothing on the stack keeps the parameter in another precision
        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        void Run(bool training)
        {
            using var tape = engine.BeginTape(training);
            var x = tape.Constant(_x.AsSpan(0, width), 1, width);
            tape.Linear(x, training ? weight : engine.InPrecision(weight, precision), null);
        }
    }

    private sealed class Model
    {
        private readonly Experts _experts;

        public Model(Engine engine)
        {
            Weight = engine.CreateParameter("weight", [Width, Width], TestNumbers.Normal(2, Width * Width, 0.3f));
            var w1 = engine.CreateParameter("w1", [Experts, Width, HiddenWidth], TestNumbers.Normal(3, Experts * Width * HiddenWidth, 0.3f));
            var w2 = engine.CreateParameter("w2", [Experts, HiddenWidth, Width], TestNumbers.Normal(4, Experts * HiddenWidth * Width, 0.3f));
            var gate = engine.CreateParameter("gate", [Experts, Width, HiddenWidth], TestNumbers.Normal(5, Experts * Width * HiddenWidth, 0.3f));
            _experts = new Experts(w1, null, w2, null, Activation.Silu, gate);
            All = [Weight, w1, w2, gate];
        }

        public Parameter Weight { get; }

        public IReadOnlyList<Parameter> All { get; }

        public float[] Run(Engine engine, ReadOnlySpan<float> x, bool training)
        {
            using var tape = engine.BeginTape(training);
            return Forward(tape, x).ToArray();
        }

        public void Descend(Engine engine, ReadOnlySpan<float> x)
        {
            using var tape = engine.BeginTape(training: true);
            tape.Backward(GradientCheck.Readout(tape, Forward(tape, x)));
        }

        private Tensor Forward(Tape tape, ReadOnlySpan<float> x)
        {
            var tokens = x.Length / Width;
            var hidden = tape.Linear(tape.Constant(x, tokens, Width), Weight);
            var logits = tape.Constant(TestNumbers.Normal(6, tokens * Experts), tokens, Experts);
            var plan = tape.Route(logits, new TokenChoice(2, normalizeWeights: true), new SequenceLayout([0, tokens]));
            return tape.GroupedExperts(hidden, tape.CombineWeights(logits, plan), plan, _experts);
        }
    }
}
