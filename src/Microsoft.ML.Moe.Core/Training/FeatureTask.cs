using Microsoft.ML.Moe.Heads;

namespace Microsoft.ML.Moe.Training;

/// <summary>What is learned of rows of features.</summary>
public abstract record FeatureTask
{
    private protected FeatureTask()
    {
    }

    /// <summary>One of several classes; targets are class numbers.</summary>
    /// <param name="count">Number of classes, C, at least 2.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are too few, or too many.</exception>
    public static FeatureTask Classes(int count)
    {
        ClassTargets.CheckCount(count);
        return new ClassesTask(count);
    }

    /// <summary>Yes or no; targets are 0 and 1, and the model gives log-odds.</summary>
    public static FeatureTask Binary { get; } = new BinaryTask();

    /// <summary>A number, in the target's units; the model gives it and its standard deviation over the members.</summary>
    public static FeatureTask Value { get; } = new ValueTask();

    /// <summary>Throws where a target is impossible.</summary>
    internal abstract void Check(float target, string parameter);

    /// <summary>The head for training rows.</summary>
    internal abstract HeadConfig HeadOf<TRow>(IReadOnlyList<Example<TRow>> training, int members);

    /// <summary>Whether rows are divided so that every class keeps training rows.</summary>
    internal virtual bool IsStratified => true;

    private sealed record ClassesTask(int Count) : FeatureTask
    {
        internal override void Check(float target, string parameter) => ClassTargets.Check(target, Count, parameter);

        internal override HeadConfig HeadOf<TRow>(IReadOnlyList<Example<TRow>> training, int members) =>
            new MemberClassesHeadConfig { Classes = Count, Members = members };
    }

    private sealed record BinaryTask : FeatureTask
    {
        internal override void Check(float target, string parameter) => ClassTargets.Check(target, 2, parameter);

        internal override HeadConfig HeadOf<TRow>(IReadOnlyList<Example<TRow>> training, int members) =>
            new BinaryHeadConfig { Members = members };
    }

    private sealed record ValueTask : FeatureTask
    {
        internal override bool IsStratified => false;

        internal override void Check(float target, string parameter)
        {
            if (!float.IsFinite(target))
                throw new ArgumentException($"A row has the target {target}; targets are finite numbers.", parameter);
        }

        internal override HeadConfig HeadOf<TRow>(IReadOnlyList<Example<TRow>> training, int members)
        {
            var (weights, sum, squares) = (0.0, 0.0, 0.0);
            foreach (var row in training)
                (weights, sum) = (weights + row.Weight, sum + row.Weight * (double)row.Target);
            var mean = sum / weights;
            foreach (var row in training)
                squares += row.Weight * (row.Target - mean) * (row.Target - mean);
            var deviation = Math.Sqrt(squares / weights);
            return new ValueHeadConfig { Members = members, Mean = mean, Deviation = deviation > 0 ? deviation : 1 };
        }
    }
}
