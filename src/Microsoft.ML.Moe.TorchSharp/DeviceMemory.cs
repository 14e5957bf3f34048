using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Copies between arrays and a device.</summary>
internal static class DeviceMemory
{
    private const int FloatsPerPart = 1 << 28;
    private static long _copiesToHost;

    /// <summary>How often the process has copied from a device, and waited for the device to get there.</summary>
    public static long CopiesToHost => Interlocked.Read(ref _copiesToHost);

    // Batches are far smaller; what is larger, a model's tables, is copied once and need not occupy pinned memory from then on.
    private const int PinnedElements = 1 << 20;

    /// <summary>Copies numbers to a device.</summary>
    public static torch.Tensor Upload(this torch.Device device, float[] values, ReadOnlySpan<int> shape) =>
        device.Upload(torch.tensor(values, Sizes(shape)));

    /// <summary>Copies numbers to a device.</summary>
    public static torch.Tensor Upload(this torch.Device device, float[] values) => device.Upload(torch.tensor(values));

    /// <summary>Copies bits of bfloat16 numbers to a device. The tensor belongs to no dispose scope.</summary>
    public static torch.Tensor UploadBFloat16(this torch.Device device, BFloat16Values values, ReadOnlySpan<int> shape)
    {
        using var scope = torch.NewDisposeScope();
        var numbers = torch.empty(Sizes(shape), dtype: torch.ScalarType.BFloat16);
        var flat = numbers.reshape(values.Length);
        for (var start = 0; start < values.Length; start += FloatsPerPart)
        {
            var part = values.Bits.Slice(start, Math.Min(FloatsPerPart, values.Length - start));
            MemoryMarshal.AsBytes(part).CopyTo(flat.narrow(0, start, part.Length).bytes);
        }

        GC.KeepAlive(values);
        return device.Upload(numbers).DetachFromDisposeScope();
    }

    /// <summary>Copies row numbers to a device.</summary>
    public static torch.Tensor Upload(this torch.Device device, ReadOnlySpan<int> indices)
    {
        var wide = new long[indices.Length];
        for (var i = 0; i < wide.Length; i++)
            wide[i] = indices[i];
        return device.Upload(torch.tensor(wide));
    }

    /// <summary>Copies flags to a device.</summary>
    public static torch.Tensor Upload(this torch.Device device, bool[] flags) => device.Upload(torch.tensor(flags));

    /// <summary>Copies numbers from a device.</summary>
    public static void Download(torch.Tensor values, Span<float> destination)
    {
        using var scope = torch.NewDisposeScope();
        using var flat = values.detach().reshape(values.NumberOfElements);
        for (var start = 0; start < destination.Length; start += FloatsPerPart)
        {
            // In parts, because TorchSharp gives out at most 2 GiB at once.
            var part = destination.Slice(start, Math.Min(FloatsPerPart, destination.Length - start));
            ToHost<float>(flat.narrow(0, start, part.Length)).CopyTo(part);
        }
    }

    /// <summary>Copies numbers from a device.</summary>
    public static float[] ToArray(torch.Tensor values)
    {
        var result = new float[values.NumberOfElements];
        Download(values, result);
        return result;
    }

    /// <summary>Copies whole numbers from a device.</summary>
    public static int[] ToInts(torch.Tensor values)
    {
        using var scope = torch.NewDisposeScope();
        return values.NumberOfElements == 0 ? [] : ToHost<int>(values.to_type(torch.ScalarType.Int32)).ToArray();
    }

    /// <summary>Copies bits of bfloat16 numbers from a device.</summary>
    public static ushort[] ToBits(torch.Tensor values)
    {
        var result = new ushort[values.NumberOfElements];
        using var scope = torch.NewDisposeScope();
        var flat = values.detach().reshape(result.Length);
        for (var start = 0; start < result.Length; start += FloatsPerPart)
        {
            var part = result.AsSpan(start, Math.Min(FloatsPerPart, result.Length - start));
            ToHost<ushort>(flat.narrow(0, start, part.Length)).CopyTo(part);
        }

        return result;
    }

    /// <summary>Sizes as libtorch takes them.</summary>
    public static long[] Sizes(ReadOnlySpan<int> shape)
    {
        var sizes = new long[shape.Length];
        for (var i = 0; i < sizes.Length; i++)
            sizes[i] = shape[i];
        return sizes;
    }

    // Belongs to the dispose scope under way.
    private static Span<T> ToHost<T>(torch.Tensor values)
        where T : unmanaged
    {
        Interlocked.Increment(ref _copiesToHost);
        return MemoryMarshal.Cast<byte, T>(values.cpu().contiguous().bytes);
    }

    // From pinned memory the copy waits on the device for its turn, and nobody on the host waits for it: libtorch notes the copy with the
    // block and gives it to nobody else before the copy is done. CUDA takes its copy of ordinary memory before it returns.
    private static torch.Tensor Upload(this torch.Device device, torch.Tensor values)
    {
        if (device.type == DeviceType.CPU)
            return values;
        if (values.NumberOfElements is 0 or > PinnedElements)
            return values.to(device, disposeAfter: true, non_blocking: true);
        using (values)
            return values.pin_memory().to(device, disposeAfter: true, non_blocking: true);
    }
}
