using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Mpi;

/// <summary>
/// The ranks that <c>mpirun</c> has started, on Open MPI, MPICH, or a library with MPICH's binary interface (Intel MPI, MVAPICH, MS-MPI). One for a process;
/// used by one thread at a time. A rank that dies takes the others with it, as MPI has it: start them again, and they go on from the checkpoint.
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
    private readonly int? _onlyThread;
    private bool _isDisposed;

    private MpiCommunicator(MpiLibrary mpi)
    {
        _mpi = mpi;
        _onlyThread = mpi.Initialize() ? null : Environment.CurrentManagedThreadId;
        (Rank, Size, LibraryVersion) = (mpi.Rank(), mpi.Size(), mpi.Version());
        if (MpiLauncher.Ranks is { } started && started != Size)
        {
            // each would take itself for the only one, train alone, and write the others' files
            throw new InvalidOperationException(
                $"{(MpiLauncher.IsOpenMpi ? "Open MPI's" : "MPICH's")} mpirun has started {started} processes, but '{LibraryVersion}' knows of {Size}: start the "
                + "program with the mpirun of the library that is installed, or install the library of this one.");
        }

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
    /// <exception cref="InvalidOperationException">
    /// It was called before: MPI starts and ends once in a process. Or the library is not that of the <c>mpirun</c> that has started the program.
    /// </exception>
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
    /// <exception cref="InvalidOperationException">Another thread than that of <see cref="Start"/> calls, and the library does not allow it.</exception>
    public void Exchange(int partner, ReadOnlySpan<byte> send, Span<byte> receive)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(partner);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(partner, Size);
        ArgumentOutOfRangeException.ThrowIfEqual(partner, Rank);
        if (_onlyThread is { } thread && thread != Environment.CurrentManagedThreadId)
        {
            throw new InvalidOperationException(
                $"'{LibraryVersion}' takes calls from the thread alone that has started it: train on that thread, with no await before it.");
        }

        // both ranks make the same number of calls only if each knows both lengths: empty parts make up for the shorter
        var parts = 1 + (Math.Max(send.Length, receive.Length) - 1) / PartBytes;
        for (var part = 0; part < parts; part++)
            _mpi.SendReceive(partner, Tag, send[Part(send.Length, part)], receive[Part(receive.Length, part)]);
    }

    /// <summary>
    /// Ends all ranks at once, this one too: for a program that catches what fails on one rank alone, before or after its training, while the others
    /// wait for it. What fails while steps are taken is told to all ranks, and needs no such call.
    /// </summary>
    /// <exception cref="ObjectDisposedException">This was disposed.</exception>
    public void Abort()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _mpi.Abort();
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
