using System.Collections.Concurrent;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Ranks that are threads of one process.</summary>
internal sealed class ThreadRanks : IDisposable
{
    private readonly BlockingCollection<byte[]>[] _mail;
    private readonly CancellationTokenSource _failed = new();
    private readonly int _size;

    private ThreadRanks(int size) =>
        (_size, _mail) = (size, [.. Enumerable.Range(0, size * size).Select(_ => new BlockingCollection<byte[]>())]);

    /// <summary>Runs a program on all ranks; what each has returned, by rank. What one throws ends the others.</summary>
    public static T[] Run<T>(int size, Func<ICommunicator, T> program)
    {
        using var ranks = new ThreadRanks(size);
        var results = new T[size];
        var errors = new ConcurrentQueue<Exception>();
        Thread[] threads = [.. Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try
            {
                results[rank] = program(new Member(ranks, rank));
            }
            catch (Exception e)
            {
                errors.Enqueue(e);
                ranks._failed.Cancel();
            }
        }))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        return errors.TryPeek(out var first) ? throw new InvalidOperationException(first.Message, first) : results;
    }

    public void Dispose()
    {
        foreach (var box in _mail)
            box.Dispose();
        _failed.Dispose();
    }

    private sealed class Member(ThreadRanks ranks, int rank) : ICommunicator
    {
        public int Rank => rank;

        public int Size => ranks._size;

        public void Exchange(int partner, ReadOnlySpan<byte> send, Span<byte> receive)
        {
            ranks._mail[rank * Size + partner].Add(send.ToArray());
            var received = ranks._mail[partner * Size + rank].Take(ranks._failed.Token);
            if (received.Length != receive.Length)
                throw new InvalidOperationException($"{received.Length} bytes were sent, {receive.Length} expected.");
            received.CopyTo(receive);
        }
    }
}
