using System.Buffers;
using System.Runtime.CompilerServices;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// A 3×3 convolution over the patches of an image, with a residual: x + gelu(convolution(norm(x))). Beyond the edge there is the edge.
/// </summary>
internal sealed class TokenConvolution
{
    /// <summary>Patches that one is made of.</summary>
    public const int Places = Side * Side;

    private const int Side = 3;

    private readonly LayerNorm _norm;
    private readonly Linear _linear;
    private readonly int[] _neighbours;
    private readonly int _patches;

    public TokenConvolution(ParameterStore store, string name, int width, PatchGrid grid)
    {
        _norm = new LayerNorm(store, name + ".norm", width);
        _linear = new Linear(store, name, Places * width, width, Activation.GeluTanh);
        _patches = grid.Patches;
        _neighbours = new int[Places * grid.Patches];
        for (var i = 0; i < _neighbours.Length; i++)
        {
            var (place, patch) = (i / grid.Patches, i % grid.Patches);
            var x = Math.Clamp(patch % grid.Columns + place % Side - 1, 0, grid.Columns - 1);
            var y = Math.Clamp(patch / grid.Columns + place / Side - 1, 0, grid.Rows - 1);
            _neighbours[i] = y * grid.Columns + x;
        }
    }

    /// <summary>[T, D] → [T, D], where T are the patches of whole images.</summary>
    public Tensor Forward(Tape tape, Tensor xTD)
    {
        var normedTD = _norm.Forward(tape, xTD);
        var parts = default(PartOfPlace);
        var neighbours = ArrayPool<int>.Shared.Rent(xTD.Rows);
        var indices = neighbours.AsSpan(0, xTD.Rows);
        for (var place = 0; place < Places; place++)
        {
            for (var token = 0; token < indices.Length; token++)
                indices[token] = token - token % _patches + _neighbours[place * _patches + token % _patches];
            parts[place] = tape.Embedding(normedTD, indices);
        }

        ArrayPool<int>.Shared.Return(neighbours);
        return tape.Add(xTD, _linear.Forward(tape, tape.Concat(parts)));
    }

    [InlineArray(Places)]
    private struct PartOfPlace
    {
        private Tensor _first;
    }
}
