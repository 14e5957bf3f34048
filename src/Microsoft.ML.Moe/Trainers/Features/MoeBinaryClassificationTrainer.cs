using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> for yes or no from rows of features: an ensemble whose members are the tokens of a mixture of
/// experts.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this trainer, use
/// [MoeBinaryClassifier](xref:Microsoft.ML.MoeBinaryClassificationCatalog.MoeBinaryClassifier(Microsoft.ML.BinaryClassificationCatalog.BinaryClassificationTrainers,System.String,System.String,System.String,Microsoft.ML.IDataView))
/// or
/// [MoeBinaryClassifier(Options)](xref:Microsoft.ML.MoeBinaryClassificationCatalog.MoeBinaryClassifier(Microsoft.ML.BinaryClassificationCatalog.BinaryClassificationTrainers,Microsoft.ML.Moe.MoeBinaryClassificationTrainer.Options)).
///
/// ### Input and output columns
/// The label column must be <xref:System.Boolean>. The feature column must be a vector of <xref:System.Single> of known size, dense or sparse;
/// NaN is a missing value.
///
/// | Output column name | Column type | Description |
/// | -- | -- | -- |
/// | `PredictedLabel` | <xref:System.Boolean> | Whether the score is over the threshold, 0 unless changed. |
/// | `Score` | <xref:System.Single> | The log-odds of true. |
/// | `Probability` | <xref:System.Single> | The probability of true. |
///
/// ### Trainer characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Machine learning task | Binary classification |
/// | Is normalization required? | No |
/// | Is caching required? | No |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
/// ]]></format>
/// </remarks>
/// <seealso cref="MoeFeatureClassificationTrainer"/>
public sealed class MoeBinaryClassificationTrainer : MoeTrainer<MoeBinaryClassificationTrainer.Options, MoeBinaryClassificationTransformer>
{
    internal MoeBinaryClassificationTrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeBinaryClassificationTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run) => new(
        Settings.Columns,
        new FeatureFit(run, Settings, environment).Execute(input, new BinaryLabel(Settings.ColumnsOf(input), Settings.LabelColumnName)));

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        FeatureColumn.Check(inputSchema, Settings.FeatureColumnName);
        BinaryLabel.Check(inputSchema, Settings.LabelColumnName);
        return FeatureModels.Promise(inputSchema, Settings.ExampleWeightColumnName, BinaryOutput.Promise(Settings.Columns));
    }

    /// <summary>Columns, architecture and training of <see cref="MoeBinaryClassificationTrainer"/>; all of it can stay as it is.</summary>
    public sealed class Options : MoeFeatureOptions
    {
        /// <summary>Column that receives whether the score is over 0. Default <c>PredictedLabel</c>.</summary>
        public string PredictedLabelColumnName { get; set; } = "PredictedLabel";

        /// <summary>Column that receives the probability of true. Default <c>Probability</c>.</summary>
        public string ProbabilityColumnName { get; set; } = "Probability";

        /// <summary>Share of the target's probability that is spread evenly over yes and no, within [0, 1). Default 0.</summary>
        public float LabelSmoothing { get; set; }

        /// <summary>How rows are weighted by class. Default <see cref="ClassWeighting.None"/>.</summary>
        public ClassWeighting ClassWeighting { get; set; } = ClassWeighting.None;

        /// <summary>Names of the columns that a model of these options reads and writes.</summary>
        internal BinaryColumns Columns => new(FeatureColumnName, PredictedLabelColumnName, ProbabilityColumnName, ScoreColumnName);

        private protected override ColumnNames Names => base.Names
            .Write(PredictedLabelColumnName, nameof(PredictedLabelColumnName))
            .Write(ProbabilityColumnName, nameof(ProbabilityColumnName));

        internal override TrainingConfig ToTrainingConfig() => base.ToTrainingConfig() with
        {
            LabelSmoothing = LabelSmoothing,
            ClassWeighting = ClassWeighting,
        };
    }
}
