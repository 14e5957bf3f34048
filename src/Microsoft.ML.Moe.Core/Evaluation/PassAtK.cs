namespace Microsoft.ML.Moe.Evaluation;

/// <summary>How likely it is that one of k samples is right.</summary>
internal static class PassAtK
{
    /// <summary>
    /// The unbiased estimate of pass@k from n samples of a task (Chen et al. 2021, "Evaluating Large Language Models Trained on Code",
    /// equation 1): 1 − C(n − c, k) / C(n, k), as a product, which neither overflows nor cancels.
    /// </summary>
    /// <param name="samples">Samples n of the task, at least <paramref name="k"/>.</param>
    /// <param name="passed">Samples c of them that are right, within [0, n].</param>
    /// <param name="k">Samples of which one must be right, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static double Estimate(int samples, int passed, int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(samples, k);
        ArgumentOutOfRangeException.ThrowIfNegative(passed);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(passed, samples);
        if (samples - passed < k)
            return 1;
        var allWrong = 1.0;
        for (var i = samples - passed + 1; i <= samples; i++)
            allWrong *= 1.0 - ((double)k / i);
        return 1 - allWrong;
    }
}
