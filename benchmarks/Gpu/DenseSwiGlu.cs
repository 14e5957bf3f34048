using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using TorchSharp;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// One SwiGLU network for all tokens with as many FLOPs as the experts of <see cref="SwiGluLayer"/> under Token Choice: k times as wide as
/// one of them. Straight on libtorch, so that nothing of the library is in what the layer is measured against; in bfloat16 weights are
/// rounded in every pass, and what a backward pass needs is kept, as the layer does.
/// </summary>
internal sealed class DenseSwiGlu : IDisposable
{
    private readonly MoeShape _shape;
    private readonly bool _inBFloat16;
    private readonly torch.Tensor _xTD;
    private readonly torch.Tensor _w1DF;
    private readonly torch.Tensor _gateDF;
    private readonly torch.Tensor _w2FD;

    public DenseSwiGlu(MoeShape shape, TorchDevice device)
    {
        (_shape, _inBFloat16) = (shape, device.InBFloat16);
        _xTD = Create(shape.Tokens, shape.Width, 1f);
        _w1DF = Create(shape.Width, HiddenWidth, 1f / MathF.Sqrt(shape.Width));
        _gateDF = Create(shape.Width, HiddenWidth, 1f / MathF.Sqrt(shape.Width));
        _w2FD = Create(HiddenWidth, shape.Width, 1f / MathF.Sqrt(HiddenWidth));

        torch.Tensor Create(int rows, int columns, float deviation) => torch
            .tensor(Values.Random(rows * columns, deviation), [rows, columns], device: device.Device)
            .requires_grad_(_inBFloat16);
    }

    /// <summary>Least work of a forward pass.</summary>
    public Work Work => new(
        6.0 * _shape.Tokens * _shape.Width * HiddenWidth,
        4.0 * (3.0 * _shape.Width * HiddenWidth + 2.0 * _shape.Tokens * _shape.Width),
        _inBFloat16);

    private int HiddenWidth => _shape.ExpertsPerToken * _shape.HiddenWidth;

    /// <summary>A forward pass.</summary>
    public void Forward()
    {
        using var scope = torch.NewDisposeScope();
        using var gradients = torch.set_grad_enabled(_inBFloat16);
        var xTD = Rounded(_xTD);
        xTD.mm(Rounded(_w1DF)).silu().mul(xTD.mm(Rounded(_gateDF))).mm(Rounded(_w2FD));
    }

    public void Dispose()
    {
        foreach (var tensor in new[] { _xTD, _w1DF, _gateDF, _w2FD })
            tensor.Dispose();
    }

    private torch.Tensor Rounded(torch.Tensor values) => _inBFloat16 ? values.to_type(torch.ScalarType.BFloat16) : values;
}
