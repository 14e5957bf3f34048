using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// How good a model's answers are: chooses the best epoch of a training in place of the validation loss. After each evaluation the model
/// writes to every validation row, and what it has written is measured.
/// </summary>
/// <param name="Name">Name of the metric, for people; tells one training from another too, where it is taken up after an interruption.</param>
/// <param name="Measure">
/// Measures answers: receives the tokens of the answer to each validation row, in their order, the end token included where there is one.
/// Larger is better.
/// </param>
public sealed record AnswerMetric(string Name, Func<IReadOnlyList<IReadOnlyList<int>>, double> Measure)
{
    /// <summary>How the model writes. What its files say of end tokens has to be in it. Default greedily, 256 tokens at most.</summary>
    public GenerationOptions Generation
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Generation));
    } = new();

    /// <summary>Rows that are answered at a time, within [1, 65536]. Default 32.</summary>
    public int BatchSize { get; init => field = OptionCheck.Range(value, 1, 65536, nameof(BatchSize)); } = 32;
}
