using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// libtorch's operator <c>_grouped_mm</c> in bfloat16, rows times the matrix of their group. TorchSharp does not bind it
/// (<see cref="TorchScript"/>).
/// </summary>
internal static class GroupedProduct
{
    // Rows start at multiples of 16 bytes.
    private const int NumbersPerUnit = 16 / sizeof(ushort);

    private static readonly ConcurrentDictionary<(DeviceType, int), bool> _works = [];
    private static readonly Lazy<TorchScript> _script = new(() => new TorchScript(
        "def product(x, weight, ends):\n    return torch._grouped_mm(x, weight, offs=ends)\n"));

    /// <summary>
    /// Whether the grouped product is one launch: on Hopper and Blackwell. Elsewhere, and in other types, the operator copies the groups'
    /// ends to the host, for every product, and multiplies group by group.
    /// </summary>
    public static bool IsOneLaunch(torch.Device device) =>
        device.type == DeviceType.CUDA && CudaDriver.Generation(device.index) is 9 or 10;

    /// <summary>
    /// Whether the operator can be called, and gives the right products and gradients, on a device; tried out at the first call for it.
    /// </summary>
    public static bool Works(torch.Device device) => _works.GetOrAdd((device.type, device.index), _ => IsRight(device));

    /// <summary>Whether rows of so many numbers are aligned as the operator asks.</summary>
    public static bool Fits(int columns) => columns % NumbersPerUnit == 0;

    /// <summary>Each row times its group's matrix.</summary>
    /// <param name="xPI">[P, I], the groups one after the other.</param>
    /// <param name="weightEIO">[E, I, O].</param>
    /// <param name="endOfE">[E] of 32-bit integers, the row behind each group.</param>
    /// <returns>[P, O]. Its gradient must be dense; one broadcast from less is refused.</returns>
    public static torch.Tensor Run(torch.Tensor xPI, torch.Tensor weightEIO, torch.Tensor endOfE) =>
        _script.Value.Call("product", xPI, weightEIO, endOfE);

    private static bool IsRight(torch.Device device)
    {
        try
        {
            using var scope = torch.NewDisposeScope();
            using var gradients = torch.set_grad_enabled(true);
            return Trial(device, grouped: true).SequenceEqual(Trial(device, grouped: false));
        }
        catch (ExternalException)
        {
            return false;
        }
    }

    /// <summary>A small product of three groups, one of them empty, and its gradients, of whole numbers so that no sum is rounded.</summary>
    private static float[] Trial(torch.Device device, bool grouped)
    {
        const int Inputs = 16;
        const int Outputs = 8;
        var x = Numbers(5, Inputs);
        var weight = Numbers(3, Inputs, Outputs);
        var product = grouped
            ? Run(
                x.As(torch.ScalarType.BFloat16),
                weight.As(torch.ScalarType.BFloat16),
                device.Upload([2, 2, 5]).to_type(torch.ScalarType.Int32))
            : torch.cat([x.narrow(0, 0, 2).mm(weight.unbind(0)[0]), x.narrow(0, 2, 3).mm(weight.unbind(0)[2])], 0);
        product.As(torch.ScalarType.Float32).mul(Numbers(5, Outputs)).sum().backward();
        return
        [
            .. DeviceMemory.ToArray(product.As(torch.ScalarType.Float32)),
            .. DeviceMemory.ToArray(x.grad!),
            .. DeviceMemory.ToArray(weight.grad!),
        ];

        torch.Tensor Numbers(params int[] shape)
        {
            var values = new float[shape.Aggregate((a, b) => a * b)];
            for (var i = 0; i < values.Length; i++)
                values[i] = i % 5 - 2;
            return device.Upload(values, shape).requires_grad_(true);
        }
    }
}
