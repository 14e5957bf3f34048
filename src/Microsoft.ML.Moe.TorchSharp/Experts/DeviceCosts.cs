using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>What a device does while it moves a byte between its memory and its processors, in round numbers.</summary>
/// <param name="ProductsPerByte">Multiplications with addition.</param>
/// <param name="BytesPerLaunch">Bytes moved while the host hands over one operation.</param>
internal readonly record struct DeviceCosts(double ProductsPerByte, double BytesPerLaunch)
{
    // By its data sheet an H100 moves 3.35 TB/s, and computes 60 TFLOP/s in single precision and 990 in bfloat16; an operation is taken to
    // hold the host for 10 μs.
    private static readonly DeviceCosts _gpu = new(9, 32e6);
    private static readonly DeviceCosts _gpuInBFloat16 = new(150, 32e6);

    // A core of a processor moves 10 GB/s, computes 100 GFLOP/s, and takes as long for an operation.
    private static readonly DeviceCosts _processor = new(5, 1e5);

    /// <summary>Costs of products of a type.</summary>
    public static DeviceCosts Of(DeviceType device, torch.ScalarType type) =>
        device != DeviceType.CUDA ? _processor : type == torch.ScalarType.BFloat16 ? _gpuInBFloat16 : _gpu;
}
