using System.Diagnostics;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>
/// Environment variables that the runtime and the references read when a process starts, so that they need a process that starts with
/// them. They replace what is set: a reference that the environment holds back would flatter us.
/// </summary>
internal static class ReferenceEnvironment
{
    private const string Marker = "MOE_BENCHMARKS_PREPARED";

    /// <summary>Instructions that <see cref="RunAgain"/> can keep everything to: vectors of 512, 256 and 128 bits.</summary>
    public static IReadOnlyList<string> InstructionSets { get; } = ["avx512", "avx2", "sse"];

    /// <summary>Runs this program again in the right environment; null when it is there.</summary>
    /// <param name="args">Its arguments.</param>
    /// <param name="isa">One of <see cref="InstructionSets"/>; null for the widest.</param>
    public static int? RunAgain(string[] args, string? isa)
    {
        if (Environment.GetEnvironmentVariable(Marker) is not null || OwnProgram.StartInfo(args) is not { } start)
            return null;
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("OPENBLAS_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        // Single precision is to be that on both sides; these turn TF32 on beneath both.
        start.Environment.Remove("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE");
        start.Environment.Remove("NVIDIA_TF32_OVERRIDE");
        start.Environment[Marker] = "1";
        // Waiting threads must not take the CPUs that the other side runs on: 2^16 cycles of spinning, and not 2^26.
        start.Environment["OPENBLAS_THREAD_TIMEOUT"] = "16";
        start.Environment["OMP_WAIT_POLICY"] = "PASSIVE";
        // PyTorch's own loops, oneDNN's and OpenBLAS's products each have a variable; the runtime has one that turns off what is wider.
        (string Name, string Value)[] narrower = isa switch
        {
            "avx2" =>
            [
                ("DOTNET_EnableAVX512", "0"), ("DOTNET_EnableAVX512F", "0"),
                ("OPENBLAS_CORETYPE", "Haswell"), ("ATEN_CPU_CAPABILITY", "avx2"), ("ONEDNN_MAX_CPU_ISA", "AVX2"),
            ],
            "sse" =>
            [
                ("DOTNET_EnableAVX", "0"),
                ("OPENBLAS_CORETYPE", "Nehalem"), ("ATEN_CPU_CAPABILITY", "default"), ("ONEDNN_MAX_CPU_ISA", "SSE41"),
            ],
            _ => [],
        };
        foreach (var (name, value) in narrower)
            start.Environment[name] = value;
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"'{start.FileName}' did not start.");
        process.WaitForExit();
        return process.ExitCode;
    }
}
