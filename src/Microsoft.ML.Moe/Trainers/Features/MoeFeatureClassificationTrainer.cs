using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> for classifying rows of features: an ensemble whose members are the tokens of a mixture of
/// experts.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this trainer, use
/// [MoeClassifier](xref:Microsoft.ML.MoeCatalog.MoeClassifier(Microsoft.ML.MulticlassClassificationCatalog.MulticlassClassificationTrainers,System.String,System.String,System.String,Microsoft.ML.IDataView))
/// or
/// [MoeClassifier(Options)](xref:Microsoft.ML.MoeCatalog.MoeClassifier(Microsoft.ML.MulticlassClassificationCatalog.MulticlassClassificationTrainers,Microsoft.ML.Moe.MoeFeatureClassificationTrainer.Options)).
///
/// ### Input and output columns
/// The label column must be of [key](xref:Microsoft.ML.Data.KeyDataViewType) type, with values of any type behind the keys. The feature
/// column must be a vector of <xref:System.Single> of known size, dense or sparse. Missing values are NaN: the slot's median takes their place, and
/// where the training set had any, the model is told. Scales do not matter, constant and repeated slots are left out.
///
/// This trainer outputs the following columns:
///
/// | Output column name | Column type | Description |
/// | -- | -- | -- |
/// | `PredictedLabel` | [key](xref:Microsoft.ML.Data.KeyDataViewType) type | The most probable label, with the values of the label column behind its keys. |
/// | `Score` | Vector of <xref:System.Single> | The probability of each label, in the order of the keys; they sum to 1. The slots are named after the labels. |
/// | `RouterEntropy` | Vector of two <xref:System.Single> | Only with `RouterEntropyColumnName`: mean and largest entropy of the routers over the row's members, in nats. |
/// | `Uncertain` | <xref:System.Boolean> | Only with `UncertainColumnName`: whether that mean is at least `UncertainThreshold` · ln(experts). |
///
/// ### Trainer characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Machine learning task | Multiclass classification |
/// | Is normalization required? | No |
/// | Is caching required? | No |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
///
/// ### Training algorithm details
/// A number becomes a vector: a straight line in the scaled number plus a piecewise-linear function of it, with edges where the training set
/// has its values (Gorishniy et al. 2022). Each member of an ensemble multiplies the row by factors of its own (Gorishniy et al. 2025); one layer
/// makes its token, a router sends the token to the best of several expert networks, and a layer of its own makes its output. AdamW trains all
/// of it; the best epoch on held-out rows is kept. The same seed gives the same model, whatever the number of threads.
/// ]]></format>
/// </remarks>
public sealed partial class MoeFeatureClassificationTrainer
    : MoeTrainer<MoeFeatureClassificationTrainer.Options, MoeFeatureClassificationTransformer>
{
    internal MoeFeatureClassificationTrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeFeatureClassificationTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run)
    {
        var classes = LabelClasses.Of(Settings.ColumnsOf(input), Settings.LabelColumnName);
        var model = new FeatureFit(run, Settings, environment).Execute(input, new ClassesLabel(classes));
        return new MoeFeatureClassificationTransformer(Settings.Columns, model, classes.Values);
    }

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        FeatureColumn.Check(inputSchema, Settings.FeatureColumnName);
        return ClassesOutput.Promise(inputSchema, Settings.Columns, Settings.LabelColumnName, Settings.ExampleWeightColumnName);
    }
}
