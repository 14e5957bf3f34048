namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Which experts of stacked weights have a gradient; in the gradient's memory those of the others are arbitrary.</summary>
internal sealed class TouchedExperts(int experts)
{
    private readonly bool[] _isTouched = new bool[experts];

    /// <summary>Number of experts, E.</summary>
    public int Count => experts;

    /// <summary>Whether an expert has a gradient.</summary>
    public bool this[int expert] => _isTouched[expert];

    /// <summary>Says that an expert has a gradient.</summary>
    /// <returns>Whether it had one before.</returns>
    public bool Touch(int expert)
    {
        var before = _isTouched[expert];
        _isTouched[expert] = true;
        return before;
    }

    /// <summary>Says that all have.</summary>
    public void TouchAll() => Array.Fill(_isTouched, true);

    /// <summary>Says that none has.</summary>
    public void Clear() => Array.Clear(_isTouched);

    /// <summary>Each expert in turn.</summary>
    public bool[] ToArray() => [.. _isTouched];
}

/// <summary>What is to be done with an expert's gradient.</summary>
internal enum ExpertWrite
{
    /// <summary>Nothing: no token came to it.</summary>
    Leave,

    /// <summary>Write it.</summary>
    Overwrite,

    /// <summary>Add to it.</summary>
    Add,
}
