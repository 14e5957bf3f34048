using Microsoft.ML.Moe.Classification;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.TextClassification;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores text with a classifier that <see cref="MoeTextClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <remarks>
/// <see cref="ITransformer.Transform"/> scores in batches as rows are read; cursors may run side by side. Disposing ends the use of
/// this transformer; cursors and prediction engines that are in use go on working until they are disposed themselves.
/// </remarks>
public sealed class MoeTextClassificationTransformer : MoeClassificationTransformer<MoeTextClassificationTransformer, EncodedText>
{
    internal MoeTextClassificationTransformer(
        TextClassificationColumns columns, SharedModel<Classifier<EncodedText>> shared, LabelValues? labels, TextTokenizer? tokenizer)
        : base(columns, shared, labels, new TextRows(columns.Sentence1, columns.Sentence2, ((TextClassifier)shared.Model).Input))
    {
        Columns = columns;
        Tokenizer = tokenizer;
    }

    internal TextClassificationColumns Columns { get; }

    internal TextTokenizer? Tokenizer { get; }

    private protected override MoeTextClassificationTransformer Create(
        ClassificationColumns columns, SharedModel<Classifier<EncodedText>> shared) =>
        new((TextClassificationColumns)columns, shared, Labels, Tokenizer);

    private protected override void Save(ModelSaveContext context, Classifier<EncodedText> classifier) =>
        TextClassificationModel.Save(context, this, classifier);
}
