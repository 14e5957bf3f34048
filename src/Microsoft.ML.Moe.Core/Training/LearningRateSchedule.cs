namespace Microsoft.ML.Moe.Training;

/// <summary>Factor on the peak learning rate: a straight line up during warm-up, then the decay.</summary>
/// <param name="decay">How it falls.</param>
/// <param name="totalSteps">Steps in all, at least 1.</param>
/// <param name="warmupShare">Share of the steps that belong to the warm-up, within [0, 1].</param>
internal sealed class LearningRateSchedule(LearningRateDecay decay, int totalSteps, float warmupShare)
{
    private readonly double _warmup = (double)totalSteps * warmupShare;

    /// <summary>Factor of a step, within (0, 1].</summary>
    /// <param name="step">Number of the step from 0.</param>
    public float FactorAt(int step)
    {
        if (step < _warmup)
            return (float)((step + 1) / (_warmup + 1));
        var progress = Math.Clamp((step - _warmup) / Math.Max(1, totalSteps - _warmup), 0, 1);
        return decay switch
        {
            LearningRateDecay.Cosine => (float)((1 + Math.Cos(Math.PI * progress)) / 2),
            LearningRateDecay.Linear => (float)(1 - progress),
            _ => 1f,
        };
    }
}
