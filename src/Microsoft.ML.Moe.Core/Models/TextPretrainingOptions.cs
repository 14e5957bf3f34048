namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Input, architecture and training of a <see cref="PretrainedTextEncoder"/> by masked tokens (Devlin et al. 2019, "BERT", section
/// 3.1). Input and architecture are those of the classifiers that will start from it.
/// </summary>
public class TextPretrainingOptions : TextEncoderOptions
{
    /// <summary>Sets the defaults that differ from a classifier's: a tenth of dropout, 2 % of the texts for validation.</summary>
    public TextPretrainingOptions()
    {
        Dropout = 0.1f;
        ValidationShare = 0.02f;
    }

    /// <summary>
    /// Share of the words that the model has to guess. Of them 80 % are hidden, 10 % replaced by a word at random, 10 % shown as they
    /// are. Within (0, 1). Default 0.15.
    /// </summary>
    public float MaskShare { get; set; } = 0.15f;

    /// <summary>Words, the most frequent ones, that can be guessed; the others are only read. Within [2, 1048576]. Default 8192.</summary>
    public int GuessedWords { get; set; } = 8192;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        OptionCheck.Rate(MaskShare, nameof(MaskShare));
        OptionCheck.Positive(MaskShare, nameof(MaskShare));
        OptionCheck.Range(GuessedWords, 2, 1 << 20, nameof(GuessedWords));
    }
}
