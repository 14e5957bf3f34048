using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.Moe.Mpi;

/// <summary>The functions of an MPI library that are needed. Its own error handler ends the job, so that no call returns with an error.</summary>
internal sealed unsafe partial class MpiLibrary
{
    private const int OneThreadAtATimeCalls = 2; // MPI_THREAD_SERIALIZED
    private const int LongestVersion = 8192; // MPI_MAX_LIBRARY_VERSION_STRING of all of them is at most this
    private const int Now = 2; // RTLD_NOW
    private const int Global = 0x100; // RTLD_GLOBAL
    private static readonly string[] OfOpenMpi = ["libmpi.so.40", "libmpi.so.80", "libmpi.40.dylib", "libmpi.so", "libmpi.dylib"];
    private static readonly string[] OfMpich = ["libmpich.so.12", "libmpi.so.12", "libmpi.12.dylib", "msmpi.dll", "impi.dll"];

    private readonly MpiHandles _handles;
    private readonly delegate* unmanaged<int*, byte***, int, int*, int> _initialize;
    private readonly delegate* unmanaged<nint, int*, int> _rank;
    private readonly delegate* unmanaged<nint, int*, int> _size;
    private readonly delegate* unmanaged<byte*, int*, int> _version;
    private readonly delegate* unmanaged<byte*, int, nint, int, int, byte*, int, nint, int, int, nint, nint, int> _sendReceive;
    private readonly delegate* unmanaged<int> _end;
    private readonly delegate* unmanaged<nint, int, int> _abort;

    private MpiLibrary(nint library)
    {
        _handles = MpiHandles.Of(library);
        _initialize = (delegate* unmanaged<int*, byte***, int, int*, int>)NativeLibrary.GetExport(library, "MPI_Init_thread");
        _rank = (delegate* unmanaged<nint, int*, int>)NativeLibrary.GetExport(library, "MPI_Comm_rank");
        _size = (delegate* unmanaged<nint, int*, int>)NativeLibrary.GetExport(library, "MPI_Comm_size");
        _version = (delegate* unmanaged<byte*, int*, int>)NativeLibrary.GetExport(library, "MPI_Get_library_version");
        _sendReceive = (delegate* unmanaged<byte*, int, nint, int, int, byte*, int, nint, int, int, nint, nint, int>)
            NativeLibrary.GetExport(library, "MPI_Sendrecv");
        _end = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "MPI_Finalize");
        _abort = (delegate* unmanaged<nint, int, int>)NativeLibrary.GetExport(library, "MPI_Abort");
    }

    /// <summary>The library of the <c>mpirun</c> that has started this process, or else one that is installed.</summary>
    /// <exception cref="DllNotFoundException">There is none.</exception>
    public static MpiLibrary Find()
    {
        foreach (var name in MpiLauncher.IsOpenMpi ? OfOpenMpi.Concat(OfMpich) : OfMpich.Concat(OfOpenMpi))
            if (TryLoad(name, out var library))
                return new MpiLibrary(library);
        throw new DllNotFoundException(
            "There is no MPI library: install Open MPI (Debian: openmpi-bin) or MPICH (Debian: mpich), on Windows MS-MPI, and start the program by its mpirun.");
    }

    /// <summary>Starts MPI.</summary>
    /// <returns>Whether any thread may call it, one at a time, and not this one alone.</returns>
    public bool Initialize()
    {
        int provided;
        _ = _initialize(null, null, OneThreadAtATimeCalls, &provided);
        return provided >= OneThreadAtATimeCalls;
    }

    /// <summary>Number of this process.</summary>
    public int Rank()
    {
        int rank;
        _ = _rank(_handles.World, &rank);
        return rank;
    }

    /// <summary>Number of processes.</summary>
    public int Size()
    {
        int size;
        _ = _size(_handles.World, &size);
        return size;
    }

    /// <summary>The library's name and version.</summary>
    public string Version()
    {
        var text = stackalloc byte[LongestVersion];
        int length;
        _ = _version(text, &length);
        return Encoding.UTF8.GetString(text, Math.Clamp(length, 0, LongestVersion)).TrimEnd('\0', '\n').Split('\n')[0];
    }

    /// <summary>Sends and receives at once.</summary>
    public void SendReceive(int partner, int tag, ReadOnlySpan<byte> send, Span<byte> receive)
    {
        fixed (byte* from = send, to = receive)
            _ = _sendReceive(from, send.Length, _handles.Byte, partner, tag, to, receive.Length, _handles.Byte, partner, tag, _handles.World, _handles.NoStatus);
    }

    /// <summary>Ends MPI.</summary>
    public void End() => _ = _end();

    /// <summary>Ends all processes of the job.</summary>
    public void Abort() => _ = _abort(_handles.World, 1);

    // Open MPI loads parts of itself that look for its symbols among those of the whole process.
    private static bool TryLoad(string name, out nint library)
    {
        if (OperatingSystem.IsLinux() && name.Contains(".so", StringComparison.Ordinal))
            _ = OpenGlobally(name, Now | Global);
        return NativeLibrary.TryLoad(name, out library);
    }

    [LibraryImport("libc", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenGlobally(string name, int flags);
}
