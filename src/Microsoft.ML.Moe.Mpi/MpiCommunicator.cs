using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Mpi;

/// <summary>
/// The ranks that <c>mpirun</c> has started, on Open MPI, MPICH, or a library with MPICH's binary interface (Intel MPI, MVAPICH, MS-MPI). One for a process;
/// used by one thread. A rank that dies takes the others with it, as MPI has it: start them again, and they go on from the checkpoint.
/// </summary>
/// <example>
/// <code>
/// using var ranks = MpiCommunicator.Start();
/// var options = new MoeTextClassificationTrainer.Options { DataParallel = new DataParallel(ranks) };
/// </code>
/// </example>
public sealed class MpiCommunicator : ICommunicator, IDisposable
{
    private const int Tag = 0x4D6F45 & 0x7FFF;

    // MPI counts in 32-bit integers
    private const int PartBytes = 1 << 30;
    private static int _isStarted;
    private readonly MpiLibrary _mpi;
    private bool _isDisposed;

    private MpiCommunicator(MpiLibrary mpi)
    {
        _mpi = mpi;
        mpi.Initialize();
        (Rank, Size, LibraryVersion) = (mpi.Rank(), mpi.Size(), mpi.Version());
        // the others would wait for this rank for ever
        AppDomain.CurrentDomain.UnhandledException += (_, unhandled) =>
        {
            if (_isDisposed)
                return;
            Console.Error.WriteLine($"Rank {Rank} of {Size}: {unhandled.ExceptionObject}");
            mpi.Abort();
        };
    }

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size { get; }

    /// <summary>What the MPI library calls itself.</summary>
    public string LibraryVersion { get; }

    /// <summary>Joins the ranks. A program that no <c>mpirun</c> has started is the only one.</summary>
    /// <exception cref="DllNotFoundException">There is no MPI library; the message says what to install.</exception>
    /// <exception cref="InvalidOperationException">It was called before: MPI starts and ends once in a process.</exception>
    public static MpiCommunicator Start()
    {
        var library = MpiLibrary.Find();
        return Interlocked.Exchange(ref _isStarted, 1) == 0
            ? new MpiCommunicator(library)
            : throw new InvalidOperationException("MPI starts and ends once in a process: keep the communicator that was started first.");
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">There is no such other rank.</exception>
    /// <exception cref="ObjectDisposedException">This was disposed.</exception>
    public void Exchange(int partner, ReadOnlySpan<byte> send, Span<byte> receive)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(partner);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(partner, Size);
        ArgumentOutOfRangeException.ThrowIfEqual(partner, Rank);
        // both ranks make the same number of calls only if each knows both lengths: empty parts make up for the shorter
        var parts = 1 + (Math.Max(send.Length, receive.Length) - 1) / PartBytes;
        for (var part = 0; part < parts; part++)
            _mpi.SendReceive(partner, Tag, send[Part(send.Length, part)], receive[Part(receive.Length, part)]);
    }

    /// <summary>Leaves the ranks, after waiting for the others.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        _mpi.End();
    }

    private static Range Part(int length, int part) =>
        (int)Math.Min(length, (long)part * PartBytes)..(int)Math.Min(length, (part + 1L) * PartBytes);
}
