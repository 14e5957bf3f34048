using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Training;

/// <summary>What an encoder makes of rows as it is.</summary>
/// <param name="Features">Of each row the numbers that the model's <see cref="FeatureHead"/> reads.</param>
/// <param name="Width">Numbers of a row.</param>
/// <param name="Kept">States of all tokens after some of the blocks; null where they are not kept.</param>
internal sealed record FrozenStates(float[] Features, int Width, KeptStates? Kept);

/// <summary>Runs rows through an encoder once, without training.</summary>
/// <param name="model">Has the encoder, and a <see cref="FeatureHead"/>.</param>
internal sealed class FrozenPass(Model<EncodedText> model)
{
    /// <summary>Runs rows through the encoder.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="keptAfter">Blocks after which states of all tokens are kept; null keeps none.</param>
    /// <param name="rowsDone">Is told how many rows are done.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public FrozenStates Run(
        IReadOnlyList<EncodedText> rows, int? keptAfter = null, Action<int>? rowsDone = null, CancellationToken stop = default)
    {
        var head = (FeatureHead)model.Head;
        var width = head.Width;
        var features = new float[checked(rows.Count * width)];
        var kept = keptAfter is { } blocks ? new KeptStates(blocks, model.Config.Encoder.Width, rows.Count) : null;
        var packer = model.Input.CreatePacker(model.Packing());
        var done = 0;
        foreach (var pass in ScoringPasses.Of(rows, model.Input.TokensOf))
        {
            stop.ThrowIfCancellationRequested();
            using var tape = model.Engine.LeaseTape(training: false);
            var batch = packer.Pack(pass);
            var encoded = model.Encode(tape, batch);
            head.Features(tape, encoded, batch).CopyTo(features.AsSpan(done * width, pass.Count * width));
            kept?.Add(encoded.After(kept.Blocks), batch.Layout);
            done += pass.Count;
            rowsDone?.Invoke(done);
        }

        return new FrozenStates(features, width, kept);
    }
}
