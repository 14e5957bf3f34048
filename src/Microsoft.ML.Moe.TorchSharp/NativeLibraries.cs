using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Finds TorchSharp's native libraries, which come in packages of their own, one for each operating system.</summary>
internal static class NativeLibraries
{
    private static readonly Lazy<bool> _isLoaded = new(Load);

    /// <summary>Whether a native library loads.</summary>
    public static bool IsLoaded => _isLoaded.Value;

    /// <summary>What to tell a user where none loads.</summary>
    public static string WhyNotLoaded =>
        Failure($"{AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES")}{Path.PathSeparator}{AppContext.BaseDirectory}");

    /// <summary>Number of CUDA devices; 0 without a native library that knows CUDA.</summary>
    public static int GpuCount =>
        _isLoaded.Value && torch.TryInitializeDeviceType(DeviceType.CUDA) ? torch.cuda.device_count() : 0;

    /// <summary>Version of TorchSharp's managed package; the native packages must have the same.</summary>
    public static Version Version => typeof(torch).Assembly.GetName().Version!;

    /// <summary>Makes the CPU ready for use.</summary>
    /// <exception cref="DllNotFoundException">No native library loads.</exception>
    public static void UseProcessor()
    {
        if (!_isLoaded.Value)
            throw new DllNotFoundException(WhyNotLoaded);

        torch.InitializeDeviceType(DeviceType.CPU);
    }

    /// <summary>Makes a CUDA device ready for use.</summary>
    /// <param name="gpu">Number of the device.</param>
    /// <exception cref="DllNotFoundException">No native library loads.</exception>
    /// <exception cref="InvalidOperationException">The native library finds no such device.</exception>
    public static void UseGpu(int gpu)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(gpu);
        UseProcessor();
        var count = GpuCount;
        if (count == 0)
        {
            throw new InvalidOperationException(
                "There is no GPU that TorchSharp could use: the machine has none, its driver is missing, or the native package is one for "
                + $"CPUs only. {Advice}");
        }

        if (gpu >= count)
            throw new InvalidOperationException($"There is no GPU {gpu}: TorchSharp finds {count}, numbered from 0.");
    }

    /// <summary>What to tell a user when no native library loads, with what the system's loader says of one that is there.</summary>
    /// <param name="folders">Where .NET looks for native libraries, as it lists them.</param>
    internal static string Failure(string folders)
    {
        var name = OperatingSystem.IsWindows() ? "LibTorchSharp.dll" : OperatingSystem.IsMacOS() ? "libLibTorchSharp.dylib" : "libLibTorchSharp.so";
        // An empty entry would mean the current directory, where .NET does not look.
        var file = folders.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);
        try
        {
            if (file is not null)
                NativeLibrary.Free(NativeLibrary.Load(file));
            return $"TorchSharp's native library does not load. {Advice}";
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            return $"TorchSharp's native library does not load. {Advice} The system says: {error.Message.Trim().Split('\n')[^1].TrimEnd('.')}.";
        }
    }

    /// <summary>Which package to add here.</summary>
    internal static string Advice => NativePackages.Advice(
        OperatingSystem.IsWindows() ? OSPlatform.Windows : OperatingSystem.IsMacOS() ? OSPlatform.OSX : OSPlatform.Linux,
        RuntimeInformation.ProcessArchitecture);

    // TorchSharp's own loader writes a page to the console when it fails; this asks the same question quietly.
    private static bool Load()
    {
        var assembly = typeof(torch).Assembly;
        NativeLibrary.TryLoad("torch_cuda", assembly, null, out _);
        NativeLibrary.TryLoad("torch_cpu", assembly, null, out _);
        return NativeLibrary.TryLoad("LibTorchSharp", assembly, null, out _);
    }
}
