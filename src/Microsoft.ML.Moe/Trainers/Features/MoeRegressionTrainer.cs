using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> for a number from rows of features: an ensemble whose members are the tokens of a mixture of
/// experts.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this trainer, use
/// [MoeRegressor](xref:Microsoft.ML.MoeRegressionCatalog.MoeRegressor(Microsoft.ML.RegressionCatalog.RegressionTrainers,System.String,System.String,System.String,Microsoft.ML.IDataView))
/// or
/// [MoeRegressor(Options)](xref:Microsoft.ML.MoeRegressionCatalog.MoeRegressor(Microsoft.ML.RegressionCatalog.RegressionTrainers,Microsoft.ML.Moe.MoeRegressionTrainer.Options)).
///
/// ### Input and output columns
/// The label column must be <xref:System.Single>; rows where it is NaN are left out. It is learned with mean 0 and deviation 1, and scored in
/// its own units. The feature column must be a vector of <xref:System.Single> of known size, dense or sparse; NaN is a missing value.
///
/// | Output column name | Column type | Description |
/// | -- | -- | -- |
/// | `Score` | <xref:System.Single> | The number, in the label's units. |
/// | `Spread` | <xref:System.Single> | Only with `SpreadColumnName`: its standard deviation over the members. It tells which rows the model is less sure about, but is no calibrated error. |
///
/// ### Trainer characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Machine learning task | Regression |
/// | Is normalization required? | No |
/// | Is caching required? | No |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
/// ]]></format>
/// </remarks>
/// <seealso cref="MoeFeatureClassificationTrainer"/>
public sealed class MoeRegressionTrainer : MoeTrainer<MoeRegressionTrainer.Options, MoeRegressionTransformer>
{
    internal MoeRegressionTrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeRegressionTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run) => new(
        Settings.Columns,
        new FeatureFit(run, Settings, environment).Execute(input, new ValueLabel(Settings.ColumnsOf(input), Settings.LabelColumnName)));

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        FeatureColumn.Check(inputSchema, Settings.FeatureColumnName);
        ValueLabel.Check(inputSchema, Settings.LabelColumnName);
        return FeatureModels.Promise(inputSchema, Settings.ExampleWeightColumnName, ValueOutput.Promise(Settings.Columns));
    }

    /// <summary>Columns, architecture and training of <see cref="MoeRegressionTrainer"/>; all of it can stay as it is.</summary>
    public sealed class Options : MoeFeatureOptions
    {
        /// <summary>
        /// Column that receives the standard deviation of the number over the members, in the label's units; null for none. Default null.
        /// </summary>
        public string? SpreadColumnName { get; set; }

        /// <summary>Names of the columns that a model of these options reads and writes.</summary>
        internal ValueColumns Columns => new(FeatureColumnName, ScoreColumnName, SpreadColumnName);

        internal override bool MeasuresAccuracy => false;

        internal override IEnumerable<(string Option, string Reason)> WithoutEffect() => SpreadColumnName is null || Members > 1
            ? base.WithoutEffect()
            : base.WithoutEffect().Append((nameof(SpreadColumnName), $"one member has no spread: raise {nameof(Members)}"));

        private protected override ColumnNames Names => base.Names.WriteIfNamed(SpreadColumnName, nameof(SpreadColumnName));
    }
}
