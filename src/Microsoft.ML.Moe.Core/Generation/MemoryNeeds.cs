using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Memory that a model takes, compared with what there is before anything long begins.</summary>
internal static class MemoryNeeds
{
    /// <summary>Bytes that the process may take: of the machine, or of the container that it is in.</summary>
    public static long Available => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>
    /// Bytes that weights take when they are loaded on the managed engine; those that stay in the mapped file, which the system fetches and
    /// forgets page by page, are not counted.
    /// </summary>
    /// <param name="weights">The files.</param>
    /// <param name="precision">What they become.</param>
    public static long OfWeights(TensorSource weights, WeightPrecision precision) => weights.Tensors.Values.Sum(tensor =>
        tensor.Elements * (tensor.Shape.Length < 2 || precision == WeightPrecision.Float32 ? sizeof(float)
            : precision == WeightPrecision.Int8 ? sizeof(byte)
            : tensor.Type == TensorType.BF16 ? 0
            : sizeof(float)));

    /// <summary>Bytes of the keys and values of all layers.</summary>
    /// <param name="config">The blocks.</param>
    /// <param name="sequences">Number of sequences.</param>
    /// <param name="tokens">Most tokens of a sequence.</param>
    public static long OfCache(EncoderConfig config, int sequences, int tokens) =>
        checked(2L * sizeof(float) * config.Layers * config.AttentionWidths.KeysAndValues * sequences * tokens);

    /// <summary>Checks that weights fit in memory.</summary>
    /// <param name="weights">The files.</param>
    /// <param name="precision">What they become.</param>
    /// <param name="available">Bytes that there are.</param>
    /// <exception cref="InvalidOperationException">They do not; the message says what would.</exception>
    public static void CheckWeights(TensorSource weights, WeightPrecision precision, long available)
    {
        var needed = OfWeights(weights, precision);
        if (needed <= available)
            return;
        var smaller = new[] { WeightPrecision.AsStored, WeightPrecision.Int8 }.Where(p => OfWeights(weights, p) <= available).ToList();
        throw new InvalidOperationException(
            $"The weights in {weights.Name} take {Text(needed)} as {precision}, but there are {Text(available)} of memory. "
            + (smaller.Count == 0 ? "Take a machine with more, or a smaller model." : $"Load them as {string.Join(" or ", smaller)}."));
    }

    /// <summary>Checks that the keys and values of a batch fit in memory.</summary>
    /// <param name="config">The blocks.</param>
    /// <param name="sequences">Number of sequences.</param>
    /// <param name="tokens">Most tokens of a sequence.</param>
    /// <param name="available">Bytes that there are.</param>
    /// <exception cref="InvalidOperationException">They do not; the message says what to do.</exception>
    public static void CheckCache(EncoderConfig config, int sequences, int tokens, long available)
    {
        var needed = OfCache(config, sequences, tokens);
        if (needed > available)
        {
            throw new InvalidOperationException(
                $"{sequences} sequences of up to {tokens} tokens take {Text(needed)} for keys and values, but there are {Text(available)} of "
                + "memory: answer fewer prompts at a time, with fewer beams, or allow fewer new tokens.");
        }
    }

    private static string Text(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB");
}
