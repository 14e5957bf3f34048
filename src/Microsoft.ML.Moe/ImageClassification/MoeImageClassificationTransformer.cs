using Microsoft.ML.Moe.Classification;
using Microsoft.ML.Moe.ImageClassification;
using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores images with a classifier that <see cref="MoeImageClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <remarks>
/// <see cref="ITransformer.Transform"/> scores in batches as rows are read; cursors may run side by side. Disposing ends the use of
/// this transformer; cursors and prediction engines that are in use go on working until they are disposed themselves.
/// </remarks>
public sealed class MoeImageClassificationTransformer : MoeClassificationTransformer<MoeImageClassificationTransformer, ImagePixels>
{
    internal MoeImageClassificationTransformer(
        ImageClassificationColumns columns, SharedModel<Classifier<ImagePixels>> shared, LabelValues? labels)
        : base(columns, shared, labels, new ImageRows(columns.Features, ((ImageClassifier)shared.Model).Input)) => Columns = columns;

    internal ImageClassificationColumns Columns { get; }

    private protected override MoeImageClassificationTransformer Create(
        ClassificationColumns columns, SharedModel<Classifier<ImagePixels>> shared) =>
        new((ImageClassificationColumns)columns, shared, Labels);

    private protected override void Save(ModelSaveContext context, Classifier<ImagePixels> classifier) =>
        ImageClassificationModel.Save(context, this, classifier);
}
