using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Turns text into vectors with an encoder that <see cref="MoeTextPretrainer"/> has trained: the mean of the vectors of its tokens in
/// context. Saved and loaded with <c>mlContext.Model</c>, without any registration, and a start for classifiers
/// (<see cref="PretrainedModel"/>). Texts beyond the encoder's maximum number of tokens are cut off.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeTextEncoderTransformer : MoeTransformer, ISavedTransformer<MoeTextEncoderTransformer>
{
    private readonly TextEncoderColumns _columns;

    internal MoeTextEncoderTransformer(TextEncoderColumns columns, FittedModel model, TextTokenizer? tokenizer)
        : base(model, new VectorOutput(columns.Output, model.Outputs))
    {
        _columns = columns;
        Tokenizer = tokenizer;
    }

    /// <summary>Numbers in a text's vector.</summary>
    public int Width => Model.Outputs;

    static ModelRegistration ISavedTransformer<MoeTextEncoderTransformer>.Kind { get; } = new(
        "MOETXTEN",
        ModelRegistration.TextEncoderLoader,
        (folder, transformer) => ModelZip.Write(folder, ((MoeTextEncoderTransformer)transformer).ToSaved()));

    /// <summary>The tokenizer that text goes through, if any.</summary>
    internal TextTokenizer? Tokenizer { get; }

    internal override ModelRegistration Registration => KindOf<MoeTextEncoderTransformer>();

    static MoeTextEncoderTransformer ISavedTransformer<MoeTextEncoderTransformer>.Read(ModelFolderReader folder) =>
        ModelZip.Read<TextEncoderColumns, EncodedText, MoeTextEncoderTransformer>(
            folder,
            ModelFiles.LoadText,
            (columns, model) => new TextRows(columns.Input, second: null, (TextInput)model.Input),
            saved => new MoeTextEncoderTransformer(saved.Columns, saved.Model, saved.Tokenizer));

    private SavedModel<TextEncoderColumns> ToSaved() => new(_columns, Model, Tokenizer: Tokenizer);
}
