using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Chooses where models live.</summary>
internal static class Engines
{
    private static int _saidWithoutGpu;

    /// <summary>Creates an engine.</summary>
    /// <param name="environment">Tells which GPU, and whether the CPU may take its place; takes the log.</param>
    /// <param name="device">What was asked for.</param>
    /// <param name="precision">Precision of matrix products while training by TorchSharp.</param>
    /// <param name="threads">Worker threads of the managed engine; null leaves it to the engine.</param>
    /// <exception cref="InvalidOperationException">The GPU cannot be used; the message says why, and what to add.</exception>
    public static Engine Create(
        IHostEnvironment environment,
        MoeDevice device = MoeDevice.Automatic,
        TrainingPrecision precision = TrainingPrecision.Automatic,
        int? threads = null)
    {
        if (device == MoeDevice.CpuLibTorch)
            return CreateTorch(gpu: null, precision, threads, "libtorch cannot be used");
        var (number, mayFallBack) = Environments.GpuOf(environment);
        var gpu = Choose(device, number, mayFallBack, () => TorchEngine.GpuCount);
        if (gpu is { } chosen)
            return CreateTorch(
                chosen, precision, threads, $"GPU {chosen} cannot be used", $"Set {nameof(MLContext)}.{nameof(MLContext.FallbackToCpu)} to go on without it.");
        if (device == MoeDevice.Gpu || (device == MoeDevice.Automatic && number is not null))
            Log(environment, ChannelMessageKind.Warning, $"GPU {number ?? 0} cannot be used; the CPU takes its place. {WhyNot(number ?? 0)}");
        else if (device == MoeDevice.Automatic && Interlocked.Exchange(ref _saidWithoutGpu, 1) == 0)
            Log(environment, ChannelMessageKind.Info, $"Everything runs on the CPU, on the managed engine. {(CudaDriver.IsThere ? WhyNot(0) : "There is no CUDA driver.")}");
        if (precision == TrainingPrecision.BFloat16)
            Log(environment, ChannelMessageKind.Warning, "The managed engine trains in single precision, not in bfloat16.");
        return new ManagedEngine(threads);
    }

    /// <summary>What weights that were saved in a precision are on an engine; warns where int8 becomes single precision.</summary>
    /// <param name="engine">Where the model was loaded.</param>
    /// <param name="saved">The precision that it was saved in.</param>
    /// <param name="environment">Takes the log.</param>
    public static WeightPrecision PrecisionOn(Engine engine, WeightPrecision saved, IHostEnvironment environment)
    {
        if (saved != WeightPrecision.Int8 || engine.KeepsStoredMatrices)
            return saved;
        Log(
            environment,
            ChannelMessageKind.Warning,
            $"The model was saved with Weights = {nameof(WeightPrecision.Int8)}, which is of the managed engine: here ({engine.Description}) its "
            + "matrices take four times the memory, in single precision. Load it where no GPU is chosen to have them in int8.");
        return WeightPrecision.AsStored;
    }

    /// <summary>Whether a model would be trained by TorchSharp.</summary>
    public static bool UsesTorch(IHostEnvironment environment, MoeDevice device)
    {
        var (number, mayFallBack) = Environments.GpuOf(environment);
        return device == MoeDevice.CpuLibTorch || Choose(device, number, mayFallBack, () => TorchEngine.GpuCount) is not null;
    }

    /// <summary>The GPU to use; null for the CPU.</summary>
    /// <param name="device">What was asked for.</param>
    /// <param name="number">The GPU that the context names, if it names one.</param>
    /// <param name="mayFallBack">Whether the CPU may take its place.</param>
    /// <param name="count">Counts the GPUs that can be used; asked only when the answer matters.</param>
    internal static int? Choose(MoeDevice device, int? number, bool mayFallBack, Func<int> count)
    {
        if (device == MoeDevice.Cpu)
            return null;
        var isWanted = device == MoeDevice.Gpu || number is not null;
        var wanted = number ?? 0;
        // one that must be used is used, or the engine says why it cannot be
        return (isWanted && !mayFallBack) || (wanted >= 0 && wanted < count()) ? wanted : null;
    }

    private static TorchEngine CreateTorch(int? gpu, TrainingPrecision precision, int? threads, string failure, string? advice = null)
    {
        try
        {
            return new TorchEngine(gpu, precision, threads);
        }
        catch (Exception e) when (IsMissing(e))
        {
            throw new InvalidOperationException($"{failure}: {e.Message} {advice}".TrimEnd(), e);
        }
    }

    // Of a GPU that was found not to be there.
    private static string WhyNot(int gpu)
    {
        try
        {
            new TorchEngine(gpu).Dispose();
            return "";
        }
        catch (Exception e) when (IsMissing(e))
        {
            return e.Message;
        }
    }

    private static bool IsMissing(Exception e) => e is DllNotFoundException or InvalidOperationException or ArgumentOutOfRangeException;

    private static void Log(IHostEnvironment environment, ChannelMessageKind kind, string message)
    {
        using var channel = environment.Start("Device");
        if (kind == ChannelMessageKind.Warning)
            channel.Warning(MessageSensitivity.None, message);
        else
            channel.Info(MessageSensitivity.None, message);
    }
}
