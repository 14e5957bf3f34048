using System.Reflection;
using System.Runtime.InteropServices;
using LLama;
using LLama.Common;
using LLama.Exceptions;
using LLama.Native;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>A model in llama.cpp, by LLamaSharp: one sequence of ids.</summary>
internal sealed class LlamaCpp : IDisposable
{
    private readonly LLamaWeights _weights;
    private readonly LLamaContext _context;
    private readonly LLamaBatch _batch = new();
    private int _length;

    /// <summary>Opens a file.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="threads">Threads that it may take.</param>
    /// <param name="capacity">Tokens that a sequence may have.</param>
    public LlamaCpp(string path, int threads, int capacity)
    {
        var parameters = new ModelParams(path)
        {
            ContextSize = (uint)capacity,
            BatchSize = (uint)capacity,
            UBatchSize = (uint)capacity,
            Threads = threads,
            BatchThreads = threads,
        };
        _weights = LLamaWeights.LoadFromFile(parameters);
        _context = _weights.CreateContext(parameters);
    }

    /// <summary>What it calls itself.</summary>
    public static string Version { get; } = "llama.cpp" + (Metadata("LlamaCppVersion") is { } version ? $" of LLamaSharp {version}" : "");

    /// <summary>Why it cannot be run here; null where it can.</summary>
    public static string? Missing { get; } = WhyMissing();

    /// <summary>Ids that a token may have.</summary>
    public int VocabularySize => _weights.Vocab.Count;

    /// <summary>Begins a new sequence; the scores of what comes after it.</summary>
    public ReadOnlySpan<float> Begin(ReadOnlySpan<int> ids)
    {
        _context.NativeHandle.MemoryClear();
        _length = 0;
        return Next(ids);
    }

    /// <summary>Goes on with the sequence; the scores of what comes next.</summary>
    public ReadOnlySpan<float> Next(ReadOnlySpan<int> ids)
    {
        _batch.Clear();
        for (var i = 0; i < ids.Length; i++)
            _batch.Add(ids[i], _length++, LLamaSeqId.Zero, logits: i == ids.Length - 1);
        var result = _context.Decode(_batch);
        return result == DecodeResult.Ok
            ? _context.NativeHandle.GetLogitsIth(ids.Length - 1)
            : throw new InvalidOperationException($"llama.cpp says {result}.");
    }

    public void Dispose()
    {
        _context.Dispose();
        _weights.Dispose();
    }

    private static string? Metadata(string key) =>
        typeof(LlamaCpp).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == key)?.Value;

    /// <summary>Loads the library for the vectors that ours has; why it could not be.</summary>
    private static string? WhyMissing()
    {
        if (Metadata("LlamaCppPackage") is not { } package)
            return "The package LLamaSharp.Backend.Cpu is not there.";
        var (system, name) = OperatingSystem.IsWindows() ? ("win", "llama.dll") : OperatingSystem.IsMacOS() ? ("osx", "libllama.dylib") : ("linux", "libllama.so");
        var processor = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64";
        var folder = Path.Combine(package, "LLamaSharpRuntimes", $"{system}-{processor}", "native");
        if (processor == "x64" && system != "osx")
            folder = Path.Combine(folder, Kernels.Create().VectorBits switch { 512 => "avx512", 256 => "avx2", _ => "noavx" });
        if (!File.Exists(Path.Combine(folder, name)))
            return $"LLamaSharp.Backend.Cpu has no {Path.Combine(folder, name)}.";
        try
        {
            NativeLibraryConfig.All.WithLogCallback((_, _) => { });
            NativeLibraryConfig.LLama.WithLibrary(Path.Combine(folder, name));
            NativeApi.llama_max_devices();
            return null;
        }
        catch (Exception exception) when (exception is TypeInitializationException or DllNotFoundException or RuntimeError)
        {
            return $"llama.cpp cannot be loaded: {(exception.InnerException ?? exception).Message}";
        }
    }
}
