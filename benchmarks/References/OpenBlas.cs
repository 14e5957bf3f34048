using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>OpenBLAS, where it is installed.</summary>
internal sealed unsafe class OpenBlas
{
    private const int RowMajor = 101;
    private const int NotTransposed = 111;

    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> _sgemm;
    private readonly delegate* unmanaged<int, void> _setThreads;

    private OpenBlas(nint library)
    {
        _sgemm = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)
            NativeLibrary.GetExport(library, "cblas_sgemm");
        _setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
        var description = (delegate* unmanaged<nint>)NativeLibrary.GetExport(library, "openblas_get_config");
        Description = Marshal.PtrToStringAnsi(description()) ?? "OpenBLAS";
    }

    /// <summary>The library; null when it is not installed.</summary>
    public static OpenBlas? Instance { get; } = Load();

    /// <summary>Version and CPU type that the library chose.</summary>
    public string Description { get; }

    /// <summary>Sets the threads of the next products.</summary>
    public void SetThreads(int threads) => _setThreads(threads);

    /// <summary>c = a·b, all dense and row-major.</summary>
    public void Multiply(int rows, int columns, int depth, float* a, float* b, float* c) =>
        _sgemm(RowMajor, NotTransposed, NotTransposed, rows, columns, depth, 1f, a, depth, b, columns, 0f, c, columns);

    private static OpenBlas? Load()
    {
        foreach (var name in new[] { "libopenblas.so.0", "libopenblas.dylib", "libopenblas.dll" })
        {
            if (NativeLibrary.TryLoad(name, out var library))
                return new OpenBlas(library);
        }

        return null;
    }
}
