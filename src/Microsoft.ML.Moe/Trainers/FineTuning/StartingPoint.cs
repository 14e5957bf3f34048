using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>What a training takes over from an earlier model.</summary>
/// <param name="Values">Architecture and weights.</param>
/// <param name="Tokenizer">The tokenizer that the new model uses, if any.</param>
/// <param name="Images">The images that the earlier model reads; null where it reads text.</param>
/// <param name="Experts">Experts in a MoE layer; 0 without any.</param>
/// <param name="Description">A sentence about it for the log.</param>
internal sealed record StartingPoint(WarmStart Values, TextTokenizer? Tokenizer, ImageInput? Images, int Experts, string Description)
{
    /// <summary>Takes over what the new training can go on with.</summary>
    /// <param name="earlier">The earlier model.</param>
    /// <param name="labels">Values behind the new label's keys, if any.</param>
    /// <param name="classCount">Number of new classes.</param>
    /// <param name="tokenizer">The new tokenizer; null goes on with the earlier model's.</param>
    /// <exception cref="InvalidOperationException">The earlier model has a published encoder.</exception>
    public static StartingPoint Of(MoeTransformer earlier, LabelValues? labels, int classCount, TextTokenizer? tokenizer)
    {
        using var hold = earlier.Hold();
        if (earlier.Model.Config.Input is PublishedTextInputConfig)
        {
            throw new InvalidOperationException(
                $"{nameof(MoeClassifierOptions.InitialModel)} has a published encoder, which is begun with otherwise: write it into a folder with "
                + $"{nameof(MoeTextClassificationTransformer.SaveHuggingFace)}, and set "
                + $"{nameof(MoeTextClassificationTrainer.Options.Encoder)} = {nameof(PublishedEncoder)}.{nameof(PublishedEncoder.FromFolder)}(folder).");
        }

        if (earlier.Model.Config.Input is PublishedImageInputConfig)
        {
            throw new InvalidOperationException(
                $"{nameof(MoeClassifierOptions.InitialModel)} has a published encoder of images, whose training cannot be gone on with: begin with the encoder "
                + $"itself, {nameof(MoeImageClassificationTrainer.Options.Encoder)} = {nameof(PublishedEncoder)}.{nameof(PublishedEncoder.FromFolder)}(folder).");
        }

        var own = earlier switch
        {
            MoeTextClassificationTransformer text => text.Tokenizer,
            MoeTextEncoderTransformer encoder => encoder.Tokenizer,
            _ => null,
        };
        var tokens = VocabularyMatch.Of(tokenizer, own);
        int[]? classes = null;
        var description = "Starting from a pretrained encoder. ";
        if (earlier is MoeClassificationTransformer classifier)
        {
            classes = ClassMatch.Of(labels, classCount, classifier.Labels, classifier.ClassCount);
            description = $"Starting from a classifier of {classifier.ClassCount} classes, which knows "
                + $"{classes?.Count(c => c >= 0) ?? 0} of the {classCount}. ";
        }

        else if (earlier is MoeFeatureTransformer && labels is null && classCount == 1)
        {
            // one output, whatever it tells
            classes = [0];
        }

        return new StartingPoint(
            earlier.Model.ToWarmStart(classes, tokens),
            tokenizer ?? own,
            (earlier.Model.Config.Input as ImageInputConfig)?.Size,
            earlier.Model.Experts,
            description + TakenOver(tokens));
    }

    private static string TakenOver(int[]? tokens) => tokens is null
        ? "Input, architecture and router are taken over from it."
        : "Architecture and router are taken over from it, and what it learned of "
            + $"{tokens.Count(id => id >= 0)} of the tokenizer's {tokens.Length} entries.";
}
