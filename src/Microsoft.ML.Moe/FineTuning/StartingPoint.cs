using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Classification;

namespace Microsoft.ML.Moe.FineTuning;

/// <summary>What a training takes over from an earlier model.</summary>
/// <param name="Values">Architecture and weights.</param>
/// <param name="Tokenizer">The tokenizer to go on with, if any.</param>
/// <param name="Experts">Experts in a MoE layer; 0 without any.</param>
/// <param name="Description">A sentence about it for the log.</param>
internal sealed record StartingPoint(InitialTextModel Values, TextTokenizer? Tokenizer, int Experts, string Description)
{
    /// <summary>Takes over what the new training can go on with.</summary>
    /// <param name="earlier">The earlier model.</param>
    /// <param name="labels">Values behind the new label's keys, if any.</param>
    /// <param name="classCount">Number of new classes.</param>
    /// <param name="tokenizer">The new tokenizer; null goes on with the earlier model's.</param>
    public static StartingPoint Of(ITransformer earlier, LabelValues? labels, int classCount, TextTokenizer? tokenizer) =>
        earlier is MoeTextClassificationTransformer classifier
            ? Of(classifier, labels, classCount, tokenizer)
            : Of((MoeTextEncoderTransformer)earlier, tokenizer);

    private static StartingPoint Of(
        MoeTextClassificationTransformer earlier, LabelValues? labels, int classCount, TextTokenizer? tokenizer)
    {
        using var lease = earlier.Lease();
        var classes = ClassMatch.Of(labels, classCount, earlier.Labels, earlier.ClassCount);
        var tokens = VocabularyMatch.Of(tokenizer, earlier.Tokenizer);
        return new StartingPoint(
            InitialTextModel.From((TextClassifier)lease.Model, classes, tokens),
            tokenizer ?? earlier.Tokenizer,
            lease.Model.Experts,
            $"Starting from a classifier of {earlier.ClassCount} classes, which knows {classes?.Count(c => c >= 0) ?? 0} of the {classCount}. "
            + TakenOver(tokens));
    }

    private static StartingPoint Of(MoeTextEncoderTransformer earlier, TextTokenizer? tokenizer)
    {
        using var lease = earlier.Lease();
        var tokens = VocabularyMatch.Of(tokenizer, earlier.Tokenizer);
        return new StartingPoint(
            InitialTextModel.From(lease.Model, tokens),
            tokenizer ?? earlier.Tokenizer,
            lease.Model.Experts,
            "Starting from a pretrained encoder. " + TakenOver(tokens));
    }

    private static string TakenOver(int[]? tokens) => tokens is null
        ? "Input, architecture and router are taken over from it."
        : "Architecture and router are taken over from it, and what it learned of "
            + $"{tokens.Count(id => id >= 0)} of the tokenizer's {tokens.Length} entries.";
}
