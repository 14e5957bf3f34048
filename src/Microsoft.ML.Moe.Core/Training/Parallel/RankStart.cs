using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Microsoft.ML.Moe.Training;

/// <summary>What ranks must have alike before they take steps together.</summary>
/// <param name="Training">Digest of options, rows and first values, as <see cref="TrainingDigest"/> makes it.</param>
/// <param name="VectorBits">Width of the vectors that sums are taken with; 0 where no bits are promised.</param>
/// <param name="Epoch">Epoch that training goes on in.</param>
/// <param name="Step">Steps taken in it.</param>
/// <param name="IsFinished">Whether the checkpoint is that of a finished training.</param>
internal sealed record RankStart(string Training, int VectorBits, int Epoch, int Step, bool IsFinished)
{
    /// <summary>Length of a written one.</summary>
    public const int Bytes = SHA256.HashSizeInBytes + 3 * sizeof(int) + 1;

    /// <summary>Reads what <see cref="Write"/> has written.</summary>
    public static RankStart Read(ReadOnlySpan<byte> from)
    {
        var numbers = from[SHA256.HashSizeInBytes..];
        return new RankStart(
            Convert.ToHexString(from[..SHA256.HashSizeInBytes]),
            BinaryPrimitives.ReadInt32LittleEndian(numbers),
            BinaryPrimitives.ReadInt32LittleEndian(numbers[sizeof(int)..]),
            BinaryPrimitives.ReadInt32LittleEndian(numbers[(2 * sizeof(int))..]),
            numbers[^1] != 0);
    }

    /// <summary>Writes it.</summary>
    /// <param name="to">Receives <see cref="Bytes"/> bytes.</param>
    public void Write(Span<byte> to)
    {
        Convert.FromHexString(Training).CopyTo(to);
        var numbers = to[SHA256.HashSizeInBytes..];
        BinaryPrimitives.WriteInt32LittleEndian(numbers, VectorBits);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[sizeof(int)..], Epoch);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[(2 * sizeof(int))..], Step);
        numbers[^1] = IsFinished ? (byte)1 : (byte)0;
    }

    /// <summary>Compares all ranks with the first.</summary>
    /// <param name="ranks">Of each rank, in their order.</param>
    /// <exception cref="InvalidDataException">One trains something else, or goes on elsewhere; the message names it and says what to do.</exception>
    /// <exception cref="InvalidOperationException">One computes with other bits.</exception>
    public static void Check(IReadOnlyList<RankStart> ranks)
    {
        var first = ranks[0];
        for (var rank = 1; rank < ranks.Count; rank++)
        {
            var other = ranks[rank];
            if (other.Training != first.Training)
            {
                throw new InvalidDataException(
                    $"Rank {rank} has other options, other rows or other weights to begin with than rank 0: start all ranks with the same program, "
                    + "options and table, its rows in the same order.");
            }

            if (other.VectorBits != first.VectorBits)
            {
                throw new InvalidOperationException(
                    $"Rank {rank} computes with vectors of {other.VectorBits} bits, rank 0 with {first.VectorBits}: their models would drift apart. Start all "
                    + "with the environment variable DOTNET_EnableAVX512=0, or DOTNET_EnableAVX=0, so that they compute alike.");
            }

            if ((other.Epoch, other.Step, other.IsFinished) != (first.Epoch, first.Step, first.IsFinished))
            {
                throw new InvalidDataException(
                    $"Rank {rank} would go on {other.Position}, rank 0 {first.Position}: they do not see the same checkpoint. Give "
                    + $"{nameof(TrainingConfig.CheckpointFile)} a file in a folder that all ranks see, or copy the first rank's to all of them.");
            }
        }
    }

    private string Position => IsFinished ? "after the end" : $"after step {Step} of epoch {Epoch}";
}
