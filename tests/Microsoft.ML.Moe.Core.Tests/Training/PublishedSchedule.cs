using System.Text.Json;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A schedule of transformers or torch, by its function and the parameters of that, as curves of this library.</summary>
/// <param name="function">Name of the function, with the library's before it.</param>
/// <param name="parameters">Its parameters; those left out have the function's defaults.</param>
/// <param name="baseRate">The optimiser's learning rate.</param>
internal sealed class PublishedSchedule(string function, JsonElement parameters, double baseRate)
{
    private double WarmUpSteps => Number("num_warmup_steps", 0);

    private double StepsAfterWarmUp => Number("num_training_steps", 0) - WarmUpSteps;

    /// <summary>What the curve's factor is on.</summary>
    public double Peak => Number("max_lr", baseRate);

    /// <summary>The learning rate's curve.</summary>
    public Func<double, double> Rate => function[(function.LastIndexOf('.') + 1)..] switch
    {
        "get_constant_schedule" => LearningRateCurves.Constant,
        "get_constant_schedule_with_warmup" => LearningRateCurves.WarmUp(WarmUpSteps, LearningRateCurves.Constant),
        "get_linear_schedule_with_warmup" => WarmUpAndFall(LearningRateCurves.Linear),
        "get_cosine_schedule_with_warmup" => WarmUpAndFall(
            LearningRateCurves.HalfWaves(2 * Number("num_cycles", 0.5)), continues: true),
        "get_cosine_with_hard_restarts_schedule_with_warmup" => LearningRateCurves.WarmUp(
            WarmUpSteps, LearningRateCurves.Restarts(StepsAfterWarmUp, Number("num_cycles", 1))),
        "get_cosine_with_min_lr_schedule_with_warmup" => WarmUpAndFall(
            LearningRateCurves.HalfWaves(2 * Number("num_cycles", 0.5)),
            Number("min_lr_rate", Number("min_lr", 0) / baseRate),
            continues: true),
        "get_polynomial_decay_schedule_with_warmup" => WarmUpAndFall(
            LearningRateCurves.Power(Number("power", 1)), Number("lr_end", 1e-7) / baseRate),
        "get_inverse_sqrt_schedule" => LearningRateCurves.WarmUp(
            WarmUpSteps, LearningRateCurves.InverseSquareRoot(Number("timescale", WarmUpSteps == 0 ? 10_000 : WarmUpSteps))),
        "get_wsd_schedule" => WarmUpStableDecay(),
        "OneCycleLR" => OneCycle(1 / Number("div_factor", 25), 1, 1 / Number("div_factor", 25) / Number("final_div_factor", 1e4)),
        "CosineAnnealingLR" => LearningRateCurves.Fall(
            Number("T_max", 1), LearningRateCurves.Cosine, Number("eta_min", 0) / baseRate, continues: true),
        "CosineAnnealingWarmRestarts" => LearningRateCurves.GrowingRestarts(
            (int)Number("T_0", 1), (int)Number("T_mult", 1), Number("eta_min", 0) / baseRate),
        "LinearLR" => LearningRateCurves.Phases(
            Number("start_factor", 1.0 / 3), new RatePhase(Number("total_iters", 5), Number("end_factor", 1), LearningRateCurves.Linear)),
        "PolynomialLR" => LearningRateCurves.Fall(Number("total_iters", 5), LearningRateCurves.Power(Number("power", 1))),
        "StepLR" => LearningRateCurves.Exponential(Number("gamma", 0.1), (int)Number("step_size", 1)),
        "ExponentialLR" => LearningRateCurves.Exponential(Number("gamma", 0.1)),
        "MultiStepLR" => LearningRateCurves.Milestones(
            Number("gamma", 0.1), [.. parameters.GetProperty("milestones").EnumerateArray().Select(milestone => milestone.GetInt32())]),
        _ => throw new NotSupportedException($"No such schedule: {function}."),
    };

    /// <summary>The curve of the first moment's decay, which only the one-cycle schedule changes.</summary>
    public Func<double, double> Momentum =>
        OneCycle(Number("max_momentum", 0.95), Number("base_momentum", 0.85), Number("max_momentum", 0.95));

    private Func<double, double> WarmUpAndFall(Func<double, double> ease, double end = 0, bool continues = false) =>
        LearningRateCurves.WarmUp(WarmUpSteps, LearningRateCurves.Fall(StepsAfterWarmUp, ease, end, continues));

    private Func<double, double> WarmUpStableDecay()
    {
        var least = Number("min_lr_ratio", 0);
        var decaySteps = Number("num_decay_steps", 0);
        var stableSteps = Number("num_stable_steps", StepsAfterWarmUp - decaySteps);
        return LearningRateCurves.Phases(
            least,
            new RatePhase(WarmUpSteps, 1, Text("warmup_type", "linear") switch
            {
                "cosine" => LearningRateCurves.Cosine,
                "1-sqrt" => LearningRateCurves.LateSquareRoot,
                _ => LearningRateCurves.Linear,
            }),
            new RatePhase(stableSteps, 1, LearningRateCurves.Linear),
            new RatePhase(decaySteps, least, Text("decay_type", "cosine") switch
            {
                "linear" => LearningRateCurves.Linear,
                "1-sqrt" => LearningRateCurves.SquareRoot,
                _ => LearningRateCurves.HalfWaves(2 * Number("num_cycles", 0.5)),
            }));
    }

    private Func<double, double> OneCycle(double start, double peak, double end) => LearningRateCurves.OneCycle(
        Number("total_steps", Number("epochs", 1) * Number("steps_per_epoch", 1)),
        start,
        peak,
        end,
        Number("pct_start", 0.3),
        Text("anneal_strategy", "cos") == "linear" ? LearningRateCurves.Linear : LearningRateCurves.Cosine,
        parameters.TryGetProperty("three_phase", out var threePhases) && threePhases.GetBoolean());

    private double Number(string name, double fallback) =>
        parameters.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : fallback;

    private string Text(string name, string fallback) =>
        parameters.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : fallback;
}
