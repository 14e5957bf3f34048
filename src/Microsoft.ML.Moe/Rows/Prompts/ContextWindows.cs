namespace Microsoft.ML.Moe;

/// <summary>
/// How a row is read that is longer than the model reads at once, such as a question about a long text: in several windows, each answered
/// by itself, of whose answers one is the row's.
/// </summary>
public sealed record ContextWindows
{
    /// <summary>
    /// As the GW-MoE paper's program reads SQuAD: the whole prompt is cut, so that the question stands in the first window alone; all
    /// windows learn the answer, whether they hold it or not, and the last window's answer is the row's.
    /// </summary>
    public static ContextWindows Published { get; } = new() { Answer = WindowAnswer.Last, LearnsFromAll = true };

    /// <summary>
    /// Column of the prompt whose text is cut into windows, each of which has the rest of the prompt around it; null, the default, cuts the
    /// prompt as a whole.
    /// </summary>
    public string? ColumnName { get; init; }

    /// <summary>Tokens that a window has in common with the one before, at least 0. Default 128.</summary>
    public int Overlap { get; init => field = OptionCheck.Range(value, 0, 1 << 20, nameof(Overlap)); } = 128;

    /// <summary>Which window's answer is the row's. Default <see cref="WindowAnswer.MostProbable"/>.</summary>
    public WindowAnswer Answer { get; init => field = OptionCheck.Defined(value, nameof(Answer)); }

    /// <summary>
    /// Whether all windows of a row are learned from. By default those that hold the answer's text are, and all where none does: a window
    /// that does not hold it teaches to make one up.
    /// </summary>
    public bool LearnsFromAll { get; init; }
}

/// <summary>Which window's answer is a row's.</summary>
public enum WindowAnswer
{
    /// <summary>The one that the model gives the greatest probability.</summary>
    MostProbable,

    /// <summary>That of the last window, as in the GW-MoE paper's program.</summary>
    Last,
}
