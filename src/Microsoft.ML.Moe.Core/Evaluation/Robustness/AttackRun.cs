using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Carries out an <see cref="AdversarialAttack"/> on images.</summary>
/// <param name="model">The classifier.</param>
/// <param name="attack">What is done.</param>
/// <param name="least">Smallest value that an image can have.</param>
/// <param name="most">Largest value that an image can have.</param>
internal sealed class AttackRun(Model<ImagePixels> model, AdversarialAttack attack, float least, float most)
{
    private const int StreamOfStart = 48;

    private readonly PixelGradients _gradients = new(model);
    private readonly double _epsilon = attack.Epsilon * (most - least);
    private readonly double _step = attack.Step * (most - least);

    /// <summary>Attacks images.</summary>
    /// <param name="images">Images that the model tells right.</param>
    /// <param name="classes">Class of each.</param>
    /// <param name="firstNumber">Number of the first of them, which with the seed decides where it begins.</param>
    /// <returns>For each whether it is still told right, and what it was last changed to.</returns>
    public (bool[] IsRight, float[][] Changed) Attack(IReadOnlyList<float[]> images, int[] classes, long firstNumber)
    {
        var isRight = Enumerable.Repeat(true, images.Count).ToArray();
        var changed = images.Select(image => (float[])image.Clone()).ToArray();
        for (var restart = 0; restart < attack.Restarts; restart++)
        {
            int[] left = [.. Enumerable.Range(0, images.Count).Where(i => isRight[i])];
            if (left.Length == 0)
                break;
            var tries = left.Select(i => Start(images[i], firstNumber + i, restart)).ToArray();
            int[] labels = [.. left.Select(i => classes[i])];
            var gradients = new float[left.Length * images[0].Length];
            for (var step = 0; step < attack.Steps; step++)
            {
                _gradients.Of(tries, labels, gradients);
                for (var i = 0; i < left.Length; i++)
                    Step(tries[i], images[left[i]], gradients.AsSpan(i * images[0].Length, images[0].Length));
            }

            var told = RobustRows.Tell(model, tries);
            for (var i = 0; i < left.Length; i++)
            {
                changed[left[i]] = tries[i];
                isRight[left[i]] = told[i] == labels[i];
            }
        }

        return (isRight, changed);
    }

    /// <summary>Where a try begins.</summary>
    private float[] Start(float[] image, long number, int restart)
    {
        var start = (float[])image.Clone();
        if (!attack.StartsRandomly)
            return start;
        var random = new StableRandom(attack.Seed, number, StreamOfStart + restart);
        for (var i = 0; i < start.Length; i++)
            start[i] += (float)((2 * random.Next() - 1) * _epsilon);
        Project(start, image);
        return start;
    }

    private void Step(float[] changed, float[] image, ReadOnlySpan<float> gradient)
    {
        var length = attack.Norm == AttackNorm.L2 ? Length(gradient) : 1;
        if (length == 0)
            return;
        for (var i = 0; i < changed.Length; i++)
            changed[i] += (float)(_step * (attack.Norm == AttackNorm.L2 ? gradient[i] / length : Math.Sign(gradient[i])));
        Project(changed, image);
    }

    /// <summary>Brings a changed image back into the ball, and its values into their range.</summary>
    private void Project(float[] changed, float[] image)
    {
        if (attack.Norm == AttackNorm.L2)
        {
            var squares = 0.0;
            for (var i = 0; i < changed.Length; i++)
                squares += ((double)changed[i] - image[i]) * ((double)changed[i] - image[i]);
            var factor = Math.Sqrt(squares) is var size && size > _epsilon ? _epsilon / size : 1;
            for (var i = 0; i < changed.Length; i++)
                changed[i] = Math.Clamp((float)(image[i] + factor * (changed[i] - image[i])), least, most);
            return;
        }

        for (var i = 0; i < changed.Length; i++)
            changed[i] = Math.Clamp(Math.Clamp(changed[i], (float)(image[i] - _epsilon), (float)(image[i] + _epsilon)), least, most);
    }

    private static double Length(ReadOnlySpan<float> values)
    {
        var squares = 0.0;
        foreach (var value in values)
            squares += (double)value * value;
        return Math.Sqrt(squares);
    }
}

/// <summary>Rows as attacks and corruptions see them.</summary>
internal static class RobustRows
{
    /// <summary>The most probable class of each image.</summary>
    public static int[] Tell(Model<ImagePixels> model, IReadOnlyList<float[]> images)
    {
        var outputs = new float[images.Count * model.Outputs];
        model.Score([.. images.Select(image => new ImagePixels(image))], outputs);
        return [.. Enumerable.Range(0, images.Count).Select(i => Measurement.IndexOfMaximum(outputs.AsSpan(i * model.Outputs, model.Outputs)))];
    }
}
