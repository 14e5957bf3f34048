using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Tensors;
using TorchSharp;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>Where the GPU's benchmarks run: on a GPU, or on the CPU to try them; and in which precision.</summary>
/// <param name="gpu">Number of the GPU; null for the CPU.</param>
/// <param name="inBFloat16">Whether factors of products are rounded to bfloat16, instead of being in single precision.</param>
internal sealed class TorchDevice(int? gpu, bool inBFloat16)
{
    /// <summary>Number of the GPU; null for the CPU.</summary>
    public int? Gpu => gpu;

    /// <summary>Whether this is no GPU, so that no figure is one of a GPU.</summary>
    public bool IsTrial => gpu is null;

    /// <summary>Whether factors of products are rounded to bfloat16.</summary>
    public bool InBFloat16 => inBFloat16;

    /// <summary>Name of the precision, here and in PyTorch's script.</summary>
    public string Precision => inBFloat16 ? "bf16" : "fp32";

    /// <summary>Name in PyTorch.</summary>
    public string Name => gpu is { } number ? $"cuda:{number}" : "cpu";

    /// <summary>Threads that compute; one drives a GPU.</summary>
    public int Threads => IsTrial ? torch.get_num_threads() : 1;

    /// <summary>Whose memory <see cref="PeakBytes"/> is.</summary>
    public string Memory => IsTrial ? "the process" : "the GPU";

    /// <summary>The device as libtorch knows it.</summary>
    public torch.Device Device { get; } = gpu is { } number ? torch.device(DeviceType.CUDA, number) : torch.device(DeviceType.CPU);

    /// <summary>An engine in the precision; of bfloat16 tapes for training make use, and no others.</summary>
    public TorchEngine CreateEngine() => new(gpu, inBFloat16 ? TrainingPrecision.BFloat16 : TrainingPrecision.Full);

    /// <summary>Waits until the device has done all that it was given.</summary>
    public void Synchronize()
    {
        if (!IsTrial)
            torch.cuda.synchronize(Device);
    }

    /// <summary>An action that is timed until the device has done it.</summary>
    public Func<int, double> Timed(Action action) => PairedRunner.Timed(() =>
    {
        action();
        Synchronize();
    });

    /// <summary>The memory in use, in bytes: the GPU's, else a process's. null where nothing tells.</summary>
    public long? UsedBytes(int processId) => Bytes(processId, process => process.WorkingSet64);

    /// <summary>
    /// The most memory that was in use so far. libtorch keeps what it has taken of a GPU, so what is in use there is the peak.
    /// </summary>
    public long? PeakBytes(int processId) => Bytes(processId, process => process.PeakWorkingSet64);

    private long? Bytes(int processId, Func<Process, long> ofProcess)
    {
        Synchronize();
        if (gpu is { } number)
            return BytesOfGpu(number);
        using var process = Process.GetProcessById(processId);
        return ofProcess(process);
    }

    private static long? BytesOfGpu(int gpu)
    {
        // CUDA numbers the visible GPUs, nvidia-smi all of them.
        var visible = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES")?.Split(',');
        var id = visible is not null && gpu < visible.Length ? visible[gpu] : gpu.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo("nvidia-smi")
        {
            ArgumentList = { "--query-gpu=memory.used", "--format=csv,noheader,nounits", $"--id={id}" },
            RedirectStandardOutput = true,
        };
        try
        {
            using var process = Process.Start(start);
            var answer = process?.StandardOutput.ReadToEnd();
            return long.TryParse(answer, CultureInfo.InvariantCulture, out var mebibytes) ? mebibytes << 20 : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
