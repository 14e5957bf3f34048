using Microsoft.ML.Moe;
using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML;

/// <summary>Extension methods of <see cref="RegressionCatalog"/> that create Mixture-of-Experts trainers.</summary>
public static class MoeRegressionCatalog
{
    /// <summary>
    /// Create a <see cref="MoeRegressionTrainer"/>, which tells a number from rows of features with a mixture of experts. Takes the parameters of
    /// ML.NET's own trainers, in their order.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="labelColumnName">Column of the label, a single-precision number.</param>
    /// <param name="featureColumnName">Column of the features, a vector of single-precision numbers.</param>
    /// <param name="exampleWeightColumnName">Column of the rows' weights; null weights all alike.</param>
    /// <param name="validationSet">Rows by which the best epoch is chosen; null holds out a tenth of the training rows.</param>
    /// <exception cref="ArgumentException">An argument is impossible; the message names it.</exception>
    public static MoeRegressionTrainer MoeRegressor(
        this RegressionCatalog.RegressionTrainers catalog,
        string labelColumnName = "Label",
        string featureColumnName = "Features",
        string? exampleWeightColumnName = null,
        IDataView? validationSet = null) =>
        catalog.MoeRegressor(new MoeRegressionTrainer.Options
        {
            LabelColumnName = labelColumnName,
            FeatureColumnName = featureColumnName,
            ExampleWeightColumnName = exampleWeightColumnName,
            ValidationSet = validationSet,
        });

    /// <summary>
    /// Create a <see cref="MoeRegressionTrainer"/>, which tells a number from rows of features with a mixture of experts, with
    /// <see cref="MoeRegressionTrainer.Options"/>.
    /// </summary>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="options">Columns, architecture and training; copied.</param>
    /// <exception cref="ArgumentException">An option is impossible, or options contradict each other; the message names them.</exception>
    public static MoeRegressionTrainer MoeRegressor(
        this RegressionCatalog.RegressionTrainers catalog, MoeRegressionTrainer.Options options) =>
        new(Environments.Of(catalog), options);
}
