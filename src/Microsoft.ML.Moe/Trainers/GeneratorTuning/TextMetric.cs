namespace Microsoft.ML.Moe;

/// <summary>By what the best epoch of a training is chosen, on the validation rows.</summary>
public enum TextMetric
{
    /// <summary>The least mean cross-entropy of the targets' tokens.</summary>
    Loss,

    /// <summary>Share of answers that are one of their targets, by the rules of SQuAD: without case, punctuation and articles.</summary>
    ExactMatch,

    /// <summary>F1 of the words that answers have in common with the best of their targets, by the rules of SQuAD.</summary>
    F1,

    /// <summary>F1 of ROUGE-L.</summary>
    RougeL,

    /// <summary>F1 of ROUGE-Lsum, which takes each line for a sentence.</summary>
    RougeLsum,

    /// <summary>Share of rows whose class is the most probable one; of <see cref="MoeTextToTextClassificationTrainer"/>.</summary>
    Accuracy,
}
