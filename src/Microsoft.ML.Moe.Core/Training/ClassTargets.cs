using Microsoft.ML.Moe.Heads;

namespace Microsoft.ML.Moe.Training;

/// <summary>Checks of targets that are classes.</summary>
internal static class ClassTargets
{
    /// <summary>Throws where there are too few or too many classes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are.</exception>
    public static void CheckCount(int classCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classCount, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classCount, ClassifierHeadConfig.MaximumClasses);
    }

    /// <summary>Throws where a target is no class.</summary>
    /// <exception cref="ArgumentException">It is not.</exception>
    public static void Check(float target, int classes, string parameter)
    {
        if (!(target >= 0 && target < classes && target == MathF.Floor(target)))
            throw new ArgumentException($"Label {target} is not within the {classes} classes.", parameter);
    }
}

/// <summary>Weights of classes in the loss.</summary>
internal static class ClassWeights
{
    /// <summary>One weight for each class, with mean 1 over the rows; classes without rows have weight 1.</summary>
    /// <param name="labels">Class of each row.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="weighting">The rule.</param>
    public static float[] For(IEnumerable<int> labels, int classes, ClassWeighting weighting)
    {
        var weights = new float[classes];
        Array.Fill(weights, 1f);
        if (weighting == ClassWeighting.None)
            return weights;
        var counts = new int[classes];
        var rows = 0;
        foreach (var label in labels)
        {
            counts[label]++;
            rows++;
        }

        var exponent = weighting == ClassWeighting.Balanced ? -1.0 : -0.5;
        var sum = counts.Where(c => c > 0).Sum(c => c * Math.Pow(c, exponent));
        for (var c = 0; c < classes; c++)
            if (counts[c] > 0)
                weights[c] = (float)(Math.Pow(counts[c], exponent) * rows / sum);
        return weights;
    }
}
