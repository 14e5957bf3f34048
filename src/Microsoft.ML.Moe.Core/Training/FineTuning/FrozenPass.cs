using System.Globalization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Training;

/// <summary>What an encoder makes of rows as it is.</summary>
/// <param name="Features">Of each row the numbers that the model's <see cref="FeatureHead"/> reads.</param>
/// <param name="Width">Numbers of a row.</param>
/// <param name="Kept">States of all tokens after some of the blocks; null where they are not kept.</param>
internal sealed record FrozenStates(float[] Features, int Width, KeptStates? Kept);

/// <summary>Runs rows through an encoder once, without training.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="model">Has the encoder, and a <see cref="FeatureHead"/>.</param>
/// <param name="cache">Keeps what is made of rows; null for none.</param>
/// <param name="encoder">Tells the encoder from others in the cache.</param>
internal sealed class FrozenPass<TRow>(Model<TRow> model, EncoderStateCache? cache = null, string encoder = "")
{
    /// <summary>Runs rows through the encoder.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="keptAfter">Blocks after which states of all tokens are kept; null keeps none.</param>
    /// <param name="rowsDone">Is told how many rows are done.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public FrozenStates Run(
        IReadOnlyList<TRow> rows, int? keptAfter = null, Action<int>? rowsDone = null, CancellationToken stop = default)
    {
        var head = (FeatureHead)model.Head;
        var width = head.Width;
        var features = new float[checked(rows.Count * width)];
        var kept = keptAfter is { } blocks ? new KeptStates(blocks, model.Config.Encoder.Width, rows.Count) : null;
        // what is made of a row must not depend on the others
        var known = head.Emphasised > 0 || model.Config.Encoder.MoeLayers > 0 ? null : cache;
        var key = string.Create(CultureInfo.InvariantCulture, $"{encoder} {width} {keptAfter}");
        UInt128[] ofRows = known is null ? [] : [.. rows.Select(EncoderStateCache.KeyOf<TRow>)];
        var missing = known is null ? [.. Enumerable.Range(0, rows.Count)] : TakeKnown(known, key, ofRows, width, features, kept);
        var packer = model.Input.CreatePacker(model.Packing());
        var (done, start) = (rows.Count - missing.Count, 0);
        foreach (var pass in ScoringPasses.Of(missing, row => model.Input.LoadOf(rows[row]), model.Config.Encoder))
        {
            stop.ThrowIfCancellationRequested();
            using var tape = model.Engine.LeaseTape(training: false);
            var batch = packer.Pack([.. pass.Select(row => rows[row])]);
            var encoded = model.Encode(tape, batch);
            var made = head.Features(tape, encoded, batch).ToArray();
            for (var i = 0; i < pass.Count; i++)
                made.AsSpan(i * width, width).CopyTo(features.AsSpan(pass[i] * width));
            kept?.Set(pass, encoded.After(kept.Blocks), batch.Layout);
            if (known is not null)
            {
                foreach (var row in pass)
                    known.Add(key, ofRows[row], new(features.AsSpan(row * width, width).ToArray(), kept?.BitsOf(row)));
            }

            start += pass.Count;
            rowsDone?.Invoke(done + start);
        }

        return new FrozenStates(features, width, kept);
    }

    /// <summary>Takes what is known of rows.</summary>
    /// <returns>Numbers of the others.</returns>
    private static List<int> TakeKnown(
        EncoderStateCache cache, string key, UInt128[] rows, int width, float[] features, KeptStates? kept)
    {
        var missing = new List<int>();
        for (var row = 0; row < rows.Length; row++)
        {
            if (cache.Find(key, rows[row]) is { } entry)
            {
                entry.Features.CopyTo(features, row * width);
                kept?.Set(row, entry.States!);
            }
            else
            {
                missing.Add(row);
            }
        }

        return missing;
    }
}
