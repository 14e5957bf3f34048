namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The bias corrections of all numbers of steps, for rows that count their own: a table that ends where both have come to 1 to the last
/// bit, as they stay. Decays so near 1 that this takes long are computed each time after the table's end.
/// </summary>
internal sealed class BiasCorrections
{
    /// <summary>More than twice the steps that a decay of 0.999 takes to come to 1.</summary>
    private const int MostSteps = 1 << 16;

    private static readonly BiasCorrection None = new(1f, 1f);
    private readonly List<BiasCorrection> _corrections = [];
    private readonly ParameterGroup _group;

    public BiasCorrections(ParameterGroup group)
    {
        _group = group;
        while (_corrections.Count < MostSteps && (_corrections.Count == 0 || _corrections[^1] != None))
            _corrections.Add(BiasCorrection.At(group, _corrections.Count + 1));
    }

    /// <summary>The correction of the step that follows so many.</summary>
    public BiasCorrection this[int steps]
    {
        get
        {
            if (steps < _corrections.Count)
                return _corrections[steps];
            return _corrections[^1] == None ? None : BiasCorrection.At(_group, steps + 1);
        }
    }
}
