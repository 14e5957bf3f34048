using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>The packages that libtorch comes in: TorchSharp does not have one for every system.</summary>
internal static class NativePackages
{
    /// <summary>What to add to the application for libtorch to load.</summary>
    /// <param name="system">Windows, macOS or Linux.</param>
    /// <param name="architecture">The process's.</param>
    public static string Advice(OSPlatform system, Architecture architecture)
    {
        var version = NativeLibraries.Version.ToString(3);
        var likeTorchSharp = $"version {version} like TorchSharp's";
        if (architecture == Architecture.X64 && system != OSPlatform.OSX)
        {
            var cuda = system == OSPlatform.Windows ? "TorchSharp-cuda-windows" : "TorchSharp-cuda-linux";
            return $"Add the package {cuda} to the application to run on a GPU, or TorchSharp-cpu to run on the CPU, {likeTorchSharp}.";
        }

        const string WithoutCuda = "on this system there is none for CUDA.";
        if (system == OSPlatform.OSX && architecture == Architecture.Arm64)
            return $"Add the package TorchSharp-cpu to the application, {likeTorchSharp}; {WithoutCuda}";
        // TorchSharp-cpu does not bring it along; its version is libtorch's.
        if (system == OSPlatform.Windows && architecture == Architecture.Arm64)
            return $"Add the package libtorch-cpu-win-arm64 to the application, of the version of libtorch that TorchSharp asks for; {WithoutCuda}";
        return $"TorchSharp {version} has no native package for {system} on {architecture}; the managed engine runs there.";
    }
}
