using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Memory that a model takes, compared with what there is before anything long begins.</summary>
internal static class MemoryNeeds
{
    /// <summary>Bytes that the process may take: of the machine, or of the container that it is in.</summary>
    public static long Available => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>
    /// Bytes that weights take when they are loaded; those that stay in the mapped file, which the system fetches and forgets page by page,
    /// are not counted.
    /// </summary>
    /// <param name="weights">The files.</param>
    /// <param name="precision">What they become.</param>
    /// <param name="place">Where they lie, and what the engine makes of them; by default mapped files and the managed engine.</param>
    public static long OfWeights(TensorSource weights, WeightPrecision precision, WeightsPlace? place = null)
    {
        var (isMapped, keepsStored, tables) = place ?? new WeightsPlace();
        return weights.Tensors.Values.Sum(tensor => tensor.Elements * BytesOf(tensor));

        int BytesOf(TensorInfo tensor)
        {
            if (tensor.Shape.Length < 2 || precision == WeightPrecision.Float32)
                return sizeof(float);
            if (tensor.Type == TensorType.I8 || (precision == WeightPrecision.Int8 && !IsTable(tensor.Name)))
                return keepsStored ? sizeof(byte) : sizeof(float);
            return tensor.Type != TensorType.BF16 ? sizeof(float)
                : isMapped && keepsStored ? 0
                : sizeof(ushort);
        }

        bool IsTable(string name) => tables?.Any(table => name == table || name.EndsWith("." + table, StringComparison.Ordinal)) == true;
    }

    /// <summary>Bytes that parameters take on the managed engine; those that lie in a mapped file are not counted.</summary>
    public static long OfParameters(IEnumerable<Parameter> parameters) => parameters.Sum(
        parameter => parameter.Value.Stored?.OwnedBytes ?? (long)sizeof(float) * parameter.Value.Length);

    /// <summary>Bytes of the keys and values of an encoder–decoder: of what the decoder writes, and of what it reads.</summary>
    /// <param name="config">The blocks.</param>
    /// <param name="sequences">Number of answers.</param>
    /// <param name="tokens">Most tokens of an answer.</param>
    /// <param name="sourceTokens">Tokens of the longest prompt.</param>
    public static long OfCache(EncoderDecoderConfig config, int sequences, int tokens, int sourceTokens) => checked(
        2L * sizeof(float) * config.DecoderLayers * config.Heads * config.HeadWidth * sequences * ((long)tokens + sourceTokens));

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
    /// <param name="place">See <see cref="OfWeights"/>.</param>
    /// <exception cref="InvalidOperationException">They do not; the message says what would.</exception>
    public static void CheckWeights(TensorSource weights, WeightPrecision precision, long available, WeightsPlace? place = null)
    {
        var (isMapped, keepsStored, _) = place ?? new WeightsPlace();
        var needed = OfWeights(weights, precision, place);
        if (needed <= available)
            return;
        // what a zip holds was decided when it was saved
        WeightPrecision[] others = !isMapped ? [] : keepsStored ? [WeightPrecision.AsStored, WeightPrecision.Int8] : [WeightPrecision.AsStored];
        var smaller = others.Where(p => OfWeights(weights, p, place) <= available).ToList();
        throw new InvalidOperationException(
            $"The weights in {weights.Name} take {Text(needed)} as {precision}, but there are {Text(available)} of memory. "
            + (smaller.Count > 0 ? $"Load them as {string.Join(" or ", smaller)}."
                : isMapped ? "Take a machine with more, or a smaller model."
                : "Take a machine with more, or save the model with KeepsWeightsInFolder, or with Weights = Int8."));
    }

    /// <summary>Checks that weights fit in the memory that an engine takes them to, where that is the host's.</summary>
    /// <param name="weights">The files.</param>
    /// <param name="precision">What they become.</param>
    /// <param name="engine">Where they shall live.</param>
    /// <param name="isMapped">Whether they lie in mapped files.</param>
    /// <param name="tables">What the names of tables of token vectors end with, which stay as they are.</param>
    /// <exception cref="InvalidOperationException">They do not; the message says what would.</exception>
    public static void CheckWeights(
        TensorSource weights, WeightPrecision precision, Engine engine, bool isMapped, IReadOnlyCollection<string> tables)
    {
        if (engine.UsesHostMemory)
            CheckWeights(weights, precision, Available, new WeightsPlace(isMapped, engine.KeepsStoredMatrices, tables));
    }

    /// <summary>Checks that the keys and values of a batch fit in memory.</summary>
    /// <param name="config">The blocks.</param>
    /// <param name="sequences">Number of sequences.</param>
    /// <param name="tokens">Most tokens of a sequence.</param>
    /// <param name="available">Bytes that there are.</param>
    /// <exception cref="InvalidOperationException">They do not; the message says what to do.</exception>
    public static void CheckCache(EncoderConfig config, int sequences, int tokens, long available) =>
        CheckCache(OfCache(config, sequences, tokens), sequences, tokens, available);

    /// <summary>Checks that the keys and values of a batch fit in memory.</summary>
    /// <param name="needed">Bytes that they take.</param>
    /// <param name="sequences">Number of sequences.</param>
    /// <param name="tokens">Most tokens of a sequence.</param>
    /// <param name="available">Bytes that there are beside the weights.</param>
    /// <exception cref="InvalidOperationException">They do not; the message says what to do.</exception>
    public static void CheckCache(long needed, int sequences, int tokens, long available)
    {
        if (needed > available)
        {
            throw new InvalidOperationException(
                $"{sequences} sequences of up to {tokens} tokens take {Text(needed)} for keys and values, but there are "
                + $"{Text(Math.Max(0, available))} of memory: answer fewer prompts at a time, with fewer beams, or allow fewer new tokens.");
        }
    }

    /// <summary>Bytes that there are beside a model's weights.</summary>
    public static long AvailableBeside(Model<EncodedText> model) =>
        Available - (model.Engine.KeepsStoredMatrices ? OfParameters(model.Parameters.All.Select(p => p.Parameter)) : 0);

    private static string Text(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB");
}

/// <summary>Where weights lie before they are loaded, and what an engine makes of them.</summary>
/// <param name="IsMapped">Whether they lie in mapped files; else they are read out of a zip.</param>
/// <param name="KeepsStored">See <see cref="Engine.KeepsStoredMatrices"/>.</param>
/// <param name="Tables">What the names of tables of token vectors end with, which are never in int8; null for none.</param>
internal sealed record WeightsPlace(bool IsMapped = true, bool KeepsStored = true, IReadOnlyCollection<string>? Tables = null);
