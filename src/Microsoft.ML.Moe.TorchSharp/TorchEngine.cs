using System.Runtime.CompilerServices;
using Microsoft.ML.Moe.Tensors.Torch;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// The engine on TorchSharp: libtorch's kernels and automatic differentiation, on a CUDA device or on the CPU. Needs one of
/// TorchSharp's native packages in the application. Results equal the managed engine's but for rounding, which is coarse when training
/// with <see cref="TrainingPrecision.BFloat16"/>; on a GPU sums may be taken in another order from run to run, so that the last digits
/// can differ. Dropout on a GPU draws from TorchSharp's random numbers, which it seeds for every operation.
/// </summary>
public sealed class TorchEngine : Engine
{
    // Weak: a parameter that nobody uses any more gives its memory back before the engine is disposed.
    private readonly ConditionalWeakTable<TorchTensor, object?> _parameters = [];
    private readonly ConditionalWeakTable<TorchKeyValueCache, object?> _caches = [];
    private readonly WorkerPool _workers;

    /// <summary>Creates the engine.</summary>
    /// <param name="gpu">Number of the CUDA device, from 0; null for the CPU.</param>
    /// <param name="precision">Precision of matrix products when training; all else is in single precision.</param>
    /// <param name="threads">
    /// Threads that share <see cref="Engine.ForEach"/>, the caller's included; at least 1. null for as many as <see cref="ManagedEngine"/> has.
    /// Those of libtorch's own operations are libtorch's affair.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="gpu"/> is negative, <paramref name="threads"/> is below 1, or <paramref name="precision"/> no precision.
    /// </exception>
    /// <exception cref="DllNotFoundException">No native library of TorchSharp loads; the message names the package to add.</exception>
    /// <exception cref="InvalidOperationException">There is no such CUDA device.</exception>
    public TorchEngine(int? gpu = null, TrainingPrecision precision = TrainingPrecision.Automatic, int? threads = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads ?? 1, 1, nameof(threads));
        if (!Enum.IsDefined(precision))
            throw new ArgumentOutOfRangeException(nameof(precision), precision, "No such precision.");
        if (gpu is { } number)
            NativeLibraries.UseGpu(number);
        else
            NativeLibraries.UseProcessor();
        Device = gpu is null ? torch.device(DeviceType.CPU) : torch.device(DeviceType.CUDA, gpu.Value);
        _workers = new WorkerPool(threads ?? DefaultThreads.Count);
        DeviceName = gpu is null ? "the CPU" : $"GPU {gpu}";
        ChoosesOnDevice = gpu is not null;
        TrainsInBFloat16 = precision == TrainingPrecision.BFloat16
            || (precision == TrainingPrecision.Automatic && gpu is { } device && CudaDriver.HasBFloat16(device));
    }

    /// <summary>
    /// Number of CUDA devices that an engine can be created on; 0 where there is none, or no native library of TorchSharp for CUDA.
    /// </summary>
    public static int GpuCount => CudaDriver.IsThere ? NativeLibraries.GpuCount : 0;

    /// <inheritdoc/>
    public override string Description =>
        $"TorchSharp {NativeLibraries.Version.ToString(3)}, "
        + (Device.type == DeviceType.CUDA ? $"GPU {Device.index}" : $"CPU, {Threads(torch.get_num_threads())}")
        + (TrainsInBFloat16 ? ", bfloat16 when training" : "");

    internal torch.Device Device { get; }

    internal string DeviceName { get; }

    /// <summary>Whether tapes for training round the factors of matrix products to bfloat16.</summary>
    internal bool TrainsInBFloat16 { get; }

    /// <summary>
    /// Whether policies that can choose on the device do so. On the processor the host has the logits in its own memory, and one pass over
    /// them takes less time than libtorch's operations, of one token and of thousands.
    /// </summary>
    internal bool ChoosesOnDevice { get; set; }

    /// <summary>The way in which experts run; null to choose for each plan.</summary>
    internal ExpertWay? ExpertWay { get; set; }

    internal bool IsDisposed { get; private set; }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><paramref name="values"/> are not as many as the shape asks for.</exception>
    public override Parameter CreateParameter(string name, ReadOnlySpan<int> shape, ReadOnlySpan<float> values, bool sparseRows = false)
    {
        ArgumentNullException.ThrowIfNull(name);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (sparseRows && shape.Length < 2)
            throw new ArgumentException($"Sparse rows need two dimensions; '{name}' has {shape.Length}.", nameof(shape));
        Check.Length(values.Length, shape, nameof(values));
        var (copy, sizes) = (values.ToArray(), shape.ToArray());
        var value = OutOfMemory.Explained(this, batch: null, () => Device.Upload(copy, sizes).DetachFromDisposeScope());
        value.requires_grad = true;
        var tensor = new TorchTensor(this, value, sparseRows);
        _parameters.Add(tensor, null);
        return new Parameter(name, tensor, sparseRows);
    }

    /// <inheritdoc/>
    internal override bool UsesHostMemory => Device.type == DeviceType.CPU;

    /// <inheritdoc/>
    internal override Parameter CreateParameter(string name, int[] shape, BFloat16Values values)
    {
        ArgumentNullException.ThrowIfNull(name);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (shape.Length < 2)
            throw new ArgumentException($"A parameter in bfloat16 needs two dimensions; '{name}' has {shape.Length}.", nameof(shape));
        Check.Length(values.Length, shape, nameof(values));
        var tensor = new TorchTensor(this, OutOfMemory.Explained(this, batch: null, () => Device.UploadBFloat16(values, shape)));
        _parameters.Add(tensor, null);
        return new Parameter(name, tensor);
    }

    /// <inheritdoc/>
    internal override Parameter Frozen(Parameter parameter)
    {
        var tensor = (TorchTensor)parameter.Value;
        if (!tensor.RequiresGradient)
            return parameter;
        var view = new TorchTensor(tensor);
        _parameters.Add(view, null);
        return new Parameter(parameter.Name, view);
    }

    /// <inheritdoc/>
    public override Tape BeginTape(bool training, ulong seed = 0)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new TorchTape(this, training, seed);
    }

    /// <inheritdoc/>
    public override KeyValueCache CreateKeyValueCache(int sequences, int capacity, int keyWidth, int valueWidth)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        var cache = new TorchKeyValueCache(this, sequences, capacity, keyWidth, valueWidth);
        _caches.Add(cache, null);
        return cache;
    }

    /// <inheritdoc/>
    public override Optimizer CreateAdamW(IReadOnlyList<ParameterGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new TorchAdamW(this, groups);
    }

    /// <inheritdoc/>
    private protected override void Share(int items, Action<int, int> body) => _workers.Run(items, long.MaxValue, body);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (IsDisposed)
            return;
        IsDisposed = true;
        _workers.Dispose();
        foreach (var (tensor, _) in _parameters)
            tensor.Release();
        _parameters.Clear();
        foreach (var (cache, _) in _caches)
            cache.Dispose();
        _caches.Clear();
    }

    private static string Threads(int count) => $"{count} {(count == 1 ? "thread" : "threads")}";
}
