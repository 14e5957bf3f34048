using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Checks of options about a published encoder that texts and images have in common.</summary>
internal static class EncoderCheck
{
    private const string Encoder = nameof(MoeTextClassificationTrainer.Options.Encoder);
    private const string Upcycling = nameof(MoeTextClassificationTrainer.Options.Upcycling);
    private const string FineTuning = nameof(MoeTextClassificationTrainer.Options.FineTuning);

    /// <summary>Throws where there is no plan.</summary>
    /// <exception cref="ArgumentNullException">There is none.</exception>
    public static void Of(FineTuning? fineTuning)
    {
        if (fineTuning is null)
            throw Missing(FineTuning, $"There is no {FineTuning}; {nameof(Training.FineTuning.Auto)} lets the table decide.");
    }

    /// <summary>Throws where options contradict a published encoder, or need one.</summary>
    /// <exception cref="ArgumentException">They do; the message names them.</exception>
    public static void Of(PublishedEncoder? encoder, PretrainedModel? initialModel, Upcycling? upcycling, UncertaintyColumns? uncertainty)
    {
        if (encoder is null)
        {
            if (upcycling is not null)
                throw Wrong(Upcycling, $"{Upcycling} makes a mixture of a published encoder: set {Encoder}.");
            return;
        }

        if (initialModel is not null)
        {
            throw Wrong(
                Encoder, $"{nameof(MoeClassifierOptions.InitialModel)} and {Encoder} are both something to begin with: set one of them.");
        }

        if (uncertainty is not null && upcycling is null)
        {
            throw Wrong(
                Upcycling,
                $"{nameof(MoeClassifierOptions.RouterEntropyColumnName)} and {nameof(MoeClassifierOptions.UncertainColumnName)} need MoE layers, which a "
                + $"published encoder has with {Upcycling}.");
        }
    }

    private static ArgumentException Wrong(string option, string message) => new(message, option);

    private static ArgumentNullException Missing(string option, string message) => new(option, message);
}
