using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Result of <see cref="TextEvaluation.PassAtK"/> and <see cref="TextEvaluation.HumanEvalAsync"/>.</summary>
/// <param name="PassAtK">
/// For each k, in ascending order, how likely it is that one of k samples of a task passes its tests, averaged over tasks; from 0 to 100.
/// </param>
/// <param name="Tasks">Number of tasks.</param>
/// <param name="Samples">Number of samples of all tasks.</param>
/// <param name="Passed">Samples that passed.</param>
public sealed record PassAtKMetrics(IReadOnlyDictionary<int, double> PassAtK, int Tasks, int Samples, int Passed)
{
    /// <summary>The score for each k, for people.</summary>
    public override string ToString()
    {
        var scores = PassAtK.Select(p => string.Create(CultureInfo.InvariantCulture, $"pass@{p.Key} {p.Value:F2}"));
        return string.Create(
            CultureInfo.InvariantCulture, $"{string.Join(", ", scores)}; {Passed} of {Samples} samples of {Tasks} tasks passed");
    }
}

/// <summary>HumanEval's evaluation (Chen et al. 2021, section 2.1).</summary>
internal static class PassAtKProtocol
{
    private static readonly int[] UsualK = [1, 10, 100];

    /// <summary>Runs it.</summary>
    /// <param name="samples">A sample's task, and whether it passed.</param>
    /// <param name="k">Numbers of samples; null for those of 1, 10 and 100 of which every task has enough.</param>
    /// <exception cref="InvalidOperationException">A task has too few samples.</exception>
    public static PassAtKMetrics Run(IReadOnlyCollection<(string Task, bool Passed)> samples, IReadOnlyList<int>? k)
    {
        var tasks = samples.GroupBy(s => s.Task).Select(t => (Samples: t.Count(), Passed: t.Count(s => s.Passed))).ToList();
        var fewest = CheckSamples(samples.Select(s => s.Task), k);
        var scores = new SortedDictionary<int, double>();
        foreach (var each in k ?? UsualK.Where(usual => usual <= fewest))
            scores[each] = 100 * tasks.Average(t => Evaluation.PassAtK.Estimate(t.Samples, t.Passed, each));
        return new PassAtKMetrics(scores, tasks.Count, samples.Count, tasks.Sum(t => t.Passed));
    }

    /// <summary>Checks the numbers of samples before anything long begins.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is below 1, or there is none.</exception>
    public static void Check(IReadOnlyList<int>? k)
    {
        if (k is { Count: 0 })
            throw new ArgumentOutOfRangeException(nameof(k), "pass@k needs at least one k.");
        foreach (var each in k ?? [])
            OptionCheck.Range(each, 1, int.MaxValue, nameof(k));
    }

    /// <summary>Checks that every task has enough samples.</summary>
    /// <param name="tasks">Task of each sample.</param>
    /// <param name="k">Numbers of samples.</param>
    /// <returns>How many samples the task with fewest has.</returns>
    /// <exception cref="InvalidOperationException">A task has too few.</exception>
    public static int CheckSamples(IEnumerable<string> tasks, IReadOnlyList<int>? k)
    {
        var (task, samples) = tasks.CountBy(t => t).MinBy(t => t.Value);
        var most = k is null ? 1 : k.Max();
        return samples >= most
            ? samples
            : throw new InvalidOperationException(
                $"Task '{task}' has {samples} samples; pass@{most} needs at least {most} of each task.");
    }
}
