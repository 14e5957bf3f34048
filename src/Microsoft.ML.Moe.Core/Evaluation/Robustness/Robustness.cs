using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Measures what a classifier of images makes of corrupted and attacked ones.</summary>
internal static class Robustness
{
    /// <summary>Images that are attacked or corrupted at once.</summary>
    private const int BatchSize = 64;

    /// <summary>Measures.</summary>
    /// <param name="model">The classifier.</param>
    /// <param name="rows">Labelled images, at least one; their weights are ignored.</param>
    /// <param name="options">What is measured.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="InvalidOperationException">The model is no classifier.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static RobustnessMetrics Measure(
        Model<ImagePixels> model, IReadOnlyList<Example<ImagePixels>> rows, RobustnessOptions options, CancellationToken stop)
    {
        var images = rows.Select(row => ValuesOf(row.Input)).ToArray();
        int[] classes = [.. rows.Select(row => (int)row.Target)];
        var areBytes = rows.All(row => row.Input.IsOfBytes);
        var (least, most) = areBytes ? (0f, 255f) : (images.Min(image => image.Min()), images.Max(image => image.Max()));
        var input = ((PatchInput)model.Input).Images;
        var total = 1 + options.Corruptions.Count * options.Severities.Count + options.Attacks.Count;
        var done = 0;
        var told = Tell(model, images, stop);
        var isRight = told.Zip(classes, (one, other) => one == other).ToArray();
        Completed();
        var errors = new List<CorruptionError>();
        foreach (var kind in options.Corruptions)
            foreach (var severity in options.Severities)
            {
                var corrupter = new ImageCorrupter(new ImageCorruption(kind) { Severity = severity, Seed = options.Seed });
                var wrong = 0;
                foreach (var batch in Enumerable.Range(0, images.Length).Chunk(BatchSize))
                {
                    stop.ThrowIfCancellationRequested();
                    var spoiled = RobustRows.Tell(model, [.. batch.Select(row => Spoil(corrupter, images[row], row))]);
                    wrong += batch.Zip(spoiled).Count(pair => pair.Second != classes[pair.First]);
                }

                errors.Add(new CorruptionError(kind, severity, (double)wrong / images.Length));
                Completed();
            }

        var attacks = new List<AttackResult>();
        foreach (var attack in options.Attacks)
        {
            var run = new AttackRun(model, attack, least, most);
            var right = 0;
            foreach (var batch in Enumerable.Range(0, images.Length).Where(row => isRight[row]).Chunk(BatchSize))
            {
                stop.ThrowIfCancellationRequested();
                right += run.Attack([.. batch.Select(row => images[row])], [.. batch.Select(row => classes[row])], batch[0]).IsRight.Count(r => r);
            }

            attacks.Add(new AttackResult(attack, (double)right / images.Length));
            Completed();
        }

        return new RobustnessMetrics(images.Length, (double)isRight.Count(r => r) / images.Length, errors, attacks);

        void Completed() => options.Completed?.Invoke(++done, total);

        float[] Spoil(ImageCorrupter corrupter, float[] image, int row)
        {
            var scale = 255f / Math.Max(1e-12f, most - least);
            var bytes = Array.ConvertAll(image, value => (byte)MathF.Round(Math.Clamp((value - least) * scale, 0f, 255f)));
            return Array.ConvertAll(corrupter.Corrupt(bytes, input.Width, input.Height, input.Channels, row), value => least + value / scale);
        }
    }

    private static int[] Tell(Model<ImagePixels> model, float[][] images, CancellationToken stop) =>
    [
        .. images.Chunk(BatchSize).SelectMany(batch =>
        {
            stop.ThrowIfCancellationRequested();
            return RobustRows.Tell(model, batch);
        }),
    ];

    private static float[] ValuesOf(ImagePixels image)
    {
        var values = new float[image.Length];
        image.CopyTo(values);
        return values;
    }
}
