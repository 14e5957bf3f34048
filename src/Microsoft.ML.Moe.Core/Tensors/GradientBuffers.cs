namespace Microsoft.ML.Moe.Tensors;

/// <summary>Arrays of gradients that are used again: those of a model are large, and each step takes as many as the one before. For one thread.</summary>
internal sealed class GradientBuffers
{
    private readonly Dictionary<int, Stack<float[]>> _free = [];

    /// <summary>An array of a length, with arbitrary content.</summary>
    public float[] Rent(int length) => _free.TryGetValue(length, out var free) && free.TryPop(out var array) ? array : new float[length];

    /// <summary>Gives back the array of a gradient that nobody needs any more. Those of single rows differ from step to step, and are not kept.</summary>
    public void Return(ParameterGradient? gradient)
    {
        if (gradient is not { Rows: null })
            return;
        if (!_free.TryGetValue(gradient.Values.Length, out var free))
            _free.Add(gradient.Values.Length, free = []);
        free.Push(gradient.Values);
    }
}
