namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Where queries, keys and values, or their gradients, lie: row 0 of each and the distance of its rows. One packed matrix and three of
/// their own look alike. A null pointer has no part.
/// </summary>
/// <param name="queries">Row 0 of the queries.</param>
/// <param name="queryStride">Distance of their rows.</param>
/// <param name="keys">Row 0 of the keys.</param>
/// <param name="keyStride">Distance of their rows.</param>
/// <param name="values">Row 0 of the values.</param>
/// <param name="valueStride">Distance of their rows.</param>
internal readonly unsafe struct AttentionRows(
    float* queries, nint queryStride, float* keys, nint keyStride, float* values, nint valueStride)
{
    public float* Queries => queries;

    public nint QueryStride => queryStride;

    public float* Keys => keys;

    public nint KeyStride => keyStride;

    public float* Values => values;

    public nint ValueStride => valueStride;

    /// <summary>Queries, keys and values side by side in rows of three times a width.</summary>
    public static AttentionRows Packed(float* qkv, int width) =>
        new(qkv, 3 * width, qkv + width, 3 * width, qkv + 2 * width, 3 * width);
}

/// <summary>The widths and rules of an attention; see <see cref="AttentionSpec"/>.</summary>
/// <param name="Heads">H.</param>
/// <param name="KeyValueHeads">Heads of keys and values.</param>
/// <param name="HeadWidth">Columns of a head of queries and keys.</param>
/// <param name="ValueWidth">Columns of a head of values.</param>
/// <param name="Scale">Factor of the scores.</param>
/// <param name="IsCausal">Whether a query sees only keys up to its position.</param>
/// <param name="Window">Keys at this distance and beyond are not seen.</param>
/// <param name="Dropout">Rate at which probabilities are dropped.</param>
internal readonly record struct AttentionForm(
    int Heads, int KeyValueHeads, int HeadWidth, int ValueWidth, float Scale, bool IsCausal, int Window, float Dropout)
{
    /// <summary>A window wider than any sequence, which can still be added to a length.</summary>
    public const int NoWindow = 1 << 30;

    /// <summary>Whether every query sees every key.</summary>
    public bool SeesAll => !IsCausal && Window == NoWindow;

    /// <summary>The form of a specification.</summary>
    /// <param name="spec">The specification.</param>
    /// <param name="queryWidth">Columns of all heads' queries.</param>
    /// <param name="valueWidth">Columns of all heads' values.</param>
    /// <param name="training">Whether probabilities are dropped.</param>
    public static AttentionForm Of(AttentionSpec spec, int queryWidth, int valueWidth, bool training)
    {
        var headWidth = queryWidth / spec.Heads;
        return new AttentionForm(
            spec.Heads,
            spec.KeyValueHeads,
            headWidth,
            valueWidth / spec.KeyValueHeads,
            spec.Scale ?? ScaleOf(headWidth),
            spec.IsCausal,
            Math.Min(spec.Window ?? NoWindow, NoWindow),
            training ? spec.Dropout : 0f);
    }

    /// <summary>1/√width.</summary>
    public static float ScaleOf(int headWidth) => 1f / MathF.Sqrt(Math.Max(1, headWidth));
}
