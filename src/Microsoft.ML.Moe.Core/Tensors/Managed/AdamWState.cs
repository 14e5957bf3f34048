using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// A parameter with its moments, which are made at the first step. Of sparse rows, and of experts that may be skipped, every one counts its
/// own steps.
/// </summary>
internal sealed unsafe class AdamWState(string name, ManagedTensor tensor, ParameterGroup group)
{
    private const int RowsPerItem = 32;
    private const int RowsAhead = 2;
    private readonly AdamWEntries _entries = new(name);

    private BiasCorrections? _corrections;
    private MemoryBlock? _moments;
    private int[]? _stepCounts;
    private AdamWStep[] _steps = [];

    public ManagedTensor Tensor => tensor;

    public ParameterGroup Group => group;

    /// <summary>Steps taken with dense gradients; a parameter that is frozen takes none.</summary>
    public int Steps { get; set; }

    /// <summary>Whether every expert takes steps of its own.</summary>
    public bool StepsByExpert => group.SkipsWithoutGradient && tensor.TouchedExperts is not null;

    /// <summary>Whether there is nothing to do in a step.</summary>
    public bool IsSkipped => !tensor.RequiresGradient || (group.SkipsWithoutGradient && !tensor.HasGradient);

    /// <summary>The numbers of the step under way, after <see cref="BeginStep"/>.</summary>
    /// <param name="expert">Number of the expert; looked at only where <see cref="StepsByExpert"/>.</param>
    public AdamWStep StepOf(int expert) => _steps[StepsByExpert ? expert : 0];

    /// <summary>First moments, then second moments; for sparse rows, both of a row side by side.</summary>
    public float* Moments => (_moments ??= new MemoryBlock(2L * tensor.Length, zeroed: true)).Data;

    /// <summary>Begins a step with a dense gradient, which is zeros where none has arrived.</summary>
    public void BeginStep(float learningRateFactor)
    {
        _ = Moments; // made here, before threads share the step
        if (!StepsByExpert)
        {
            if (_steps.Length != 1)
                _steps = new AdamWStep[1];
            _steps[0] = Numbers(++Steps);
            return;
        }

        var touched = tensor.TouchedExperts!;
        _stepCounts ??= new int[touched.Count];
        if (_steps.Length != touched.Count)
            _steps = new AdamWStep[touched.Count];
        for (var expert = 0; expert < touched.Count; expert++)
            if (touched[expert])
                _steps[expert] = Numbers(++_stepCounts[expert]);

        AdamWStep Numbers(int step) =>
            AdamWStep.Create(group, tensor.GradientFactor, learningRateFactor, BiasCorrection.At(group, step));
    }

    /// <summary>Updates the rows that have a gradient.</summary>
    public void StepRows(ManagedEngine engine, float learningRateFactor)
    {
        var sparse = tensor.SparseGradient!;
        var touched = sparse.Touched;
        if (touched.Count == 0)
            return;
        _stepCounts ??= new int[tensor.Shape[0]];
        _corrections ??= new BiasCorrections(group);
        var body = new RowSteps(engine.Kernels, this, tensor.Data, Moments, sparse, learningRateFactor);
        engine.Workers.Run((touched.Count + RowsPerItem - 1) / RowsPerItem, 4L * touched.Count * sparse.Width, body);
    }

    /// <summary>The moments and steps, copied when they are asked for; nothing before the first step.</summary>
    public IEnumerable<SavedTensor> Export()
    {
        if (_moments is null)
            yield break;
        var shape = tensor.Shape.ToArray();
        yield return new SavedTensor(_entries.First, shape, ElementType.Float32, () => Copy(0));
        yield return new SavedTensor(_entries.Second, shape, ElementType.Float32, () => Copy(1));
        int[] counts = _stepCounts ?? [Steps];
        yield return new SavedTensor(
            _entries.Steps, [counts.Length], ElementType.Float32, () => Array.ConvertAll(counts, count => (float)count));
    }

    /// <summary>Checks that what <see cref="Export"/> has given fits.</summary>
    /// <exception cref="ArgumentException">It does not; the message names the parameter.</exception>
    public void CheckFits(IReadOnlyDictionary<string, NamedValues> state) =>
        _entries.CheckFits(state, tensor.Shape, countsRows: CountsParts);

    /// <summary>Takes up what <see cref="Export"/> has given.</summary>
    public void Import(IReadOnlyDictionary<string, NamedValues> state)
    {
        _moments = null;
        _stepCounts = null;
        Steps = 0;
        if (!state.TryGetValue(_entries.First, out var first))
            return;
        Paste(0, first.Values);
        Paste(1, state[_entries.Second].Values);
        int[] steps = [.. state[_entries.Steps].Values.Select(s => (int)s)];
        if (CountsParts)
            _stepCounts = steps;
        else
            Steps = steps[0];
    }

    private bool CountsParts => tensor.SparseGradient is not null || StepsByExpert;

    private float[] Copy(int moment)
    {
        var values = new float[tensor.Length];
        ForRuns(moment, (start, moments, length) => new ReadOnlySpan<float>(Moments + moments, length).CopyTo(values.AsSpan(start, length)));
        return values;
    }

    private void Paste(int moment, float[] values) => ForRuns(
        moment, (start, moments, length) => values.AsSpan(start, length).CopyTo(new Span<float>(Moments + moments, length)));

    /// <summary>Where runs of the parameter's elements have a moment: all in one run, or row by row with the two side by side.</summary>
    private void ForRuns(int moment, Action<int, long, int> run)
    {
        if (tensor.SparseGradient is not { Width: var width })
        {
            run(0, (long)moment * tensor.Length, tensor.Length);
            return;
        }

        for (var row = 0; row < tensor.Shape[0]; row++)
            run(row * width, (2L * row + moment) * width, width);
    }

    /// <summary>The steps of some rows.</summary>
    private readonly struct RowSteps(
        Kernels kernels, AdamWState state, float* values, float* moments, SparseGradient sparse, float learningRateFactor) : ILoopBody
    {
        private readonly int _width = sparse.Width;

        public void Run(int item, int worker)
        {
            var touched = sparse.Touched;
            for (var slot = item * RowsPerItem; slot < Math.Min(touched.Count, (item + 1) * RowsPerItem); slot++)
            {
                if (slot + RowsAhead < touched.Count)
                {
                    var ahead = (long)touched[slot + RowsAhead] * _width;
                    Prefetch.Row(values + ahead, _width);
                    Prefetch.Row(moments + 2 * ahead, 2 * _width);
                }

                var row = touched[slot];
                var correction = state._corrections![state._stepCounts![row]++];
                var step = AdamWStep.Create(state.Group, 1f, learningRateFactor, correction);
                var m = moments + 2L * row * _width;
                kernels.AdamW(step, values + (long)row * _width, sparse.Slot(slot), m, m + _width, _width);
            }
        }
    }
}
