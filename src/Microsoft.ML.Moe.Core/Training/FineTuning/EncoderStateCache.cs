using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// What published encoders, frozen, have made of rows, kept in memory: given to several trainings, of other folds, seeds or options on the same
/// texts or images, all but the first begin behind the pass of the frozen encoder. Results are the same with it as without. Safe to use
/// from several threads. Mixtures of experts and pairs of texts are not kept: what is made of a row depends on other rows there.
/// </summary>
public sealed class EncoderStateCache
{
    private readonly Dictionary<(string Encoder, UInt128 Row), Entry> _rows = [];
    private readonly Lock _lock = new();
    private readonly long _maximumBytes;
    private long _bytes;

    /// <summary>Creates an empty cache.</summary>
    /// <param name="maximumBytes">
    /// Memory that it may take, over 0; once it is full, nothing more is kept. Default 1 GiB: 15,000 rows of 11 tokens and 384 numbers take
    /// a fifth of it.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maximumBytes"/> is not over 0.</exception>
    public EncoderStateCache(long maximumBytes = 1L << 30)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumBytes, 1);
        _maximumBytes = maximumBytes;
    }

    /// <summary>Rows that are kept.</summary>
    public int Rows
    {
        get
        {
            lock (_lock)
                return _rows.Count;
        }
    }

    /// <summary>Memory that they take, in bytes.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
                return _bytes;
        }
    }

    /// <summary>Forgets all rows.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _rows.Clear();
            _bytes = 0;
        }
    }

    /// <summary>What is kept of a row; null where nothing is.</summary>
    internal Entry? Find(string encoder, UInt128 row)
    {
        lock (_lock)
            return _rows.GetValueOrDefault((encoder, row));
    }

    /// <summary>Keeps a row, if there is room.</summary>
    internal void Add(string encoder, UInt128 row, Entry entry)
    {
        lock (_lock)
        {
            var before = _rows.TryGetValue((encoder, row), out var known) ? known.Bytes : 0;
            if (_bytes - before + entry.Bytes > _maximumBytes)
                return;
            _bytes += entry.Bytes - before;
            _rows[(encoder, row)] = entry;
        }
    }

    /// <summary>Tells a row from others: a text by its ids, an image by its pixels.</summary>
    internal static UInt128 KeyOf<TRow>(TRow row)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        switch (row)
        {
            case EncodedText { Ids: { } ids }:
                hash.AppendData(MemoryMarshal.AsBytes<int>(ids.Ids));
                hash.AppendData(MemoryMarshal.AsBytes<int>(ids.Types ?? []));
                hash.AppendData(MemoryMarshal.AsBytes<int>([ids.Ids.Length, ids.SecondWindow]));
                break;
            case ImagePixels image:
                hash.AppendData(image.Raw);
                break;
            default:
                throw new InvalidOperationException("Published encoders read texts and images alone.");
        }

        return BinaryPrimitives.ReadUInt128LittleEndian(hash.GetHashAndReset());
    }

    /// <summary>What is kept of a row.</summary>
    /// <param name="Features">Pooled states.</param>
    /// <param name="States">States of its tokens after some blocks, in bfloat16; null where they were not wanted.</param>
    internal sealed record Entry(float[] Features, ushort[]? States)
    {
        private const int Overhead = 128;

        /// <summary>Memory that it takes.</summary>
        public long Bytes => sizeof(float) * (long)Features.Length + sizeof(ushort) * (long)(States?.Length ?? 0) + Overhead;
    }
}
