namespace Microsoft.ML.Moe.Tensors;

/// <summary>The names under which every engine's <see cref="Optimizer.GetState"/> gives a parameter's moments and steps.</summary>
/// <param name="parameter">Name of the parameter.</param>
internal sealed class AdamWEntries(string parameter)
{
    /// <summary>Name of the first moments.</summary>
    public string First { get; } = parameter + ".first";

    /// <summary>Name of the second moments.</summary>
    public string Second { get; } = parameter + ".second";

    /// <summary>Name of the numbers of steps.</summary>
    public string Steps { get; } = parameter + ".steps";

    /// <summary>Checks that a state has all of the parameter's entries, in the right shapes, or none.</summary>
    /// <param name="state">The state.</param>
    /// <param name="shape">Shape of the parameter.</param>
    /// <param name="countsRows">Whether every row counts its own steps.</param>
    /// <exception cref="ArgumentException">It does not; the message names the parameter.</exception>
    public void CheckFits(IReadOnlyDictionary<string, NamedValues> state, ReadOnlySpan<int> shape, bool countsRows)
    {
        var has = state.ContainsKey(First);
        int[] counters = [countsRows ? shape[0] : 1];
        if (Fits(First, shape) && Fits(Second, shape) && Fits(Steps, counters))
            return;
        throw new ArgumentException($"The optimiser's state does not fit the parameter '{parameter}'.", nameof(state));

        bool Fits(string entry, ReadOnlySpan<int> expected) =>
            state.TryGetValue(entry, out var values) == has && (values is null || expected.SequenceEqual(values.Shape));
    }
}
