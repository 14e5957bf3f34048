using System.Globalization;
using Microsoft.ML;
using MoeTool.Data;
using MoeTool.Settings;

namespace MoeTool;

/// <summary>Shows what a model made of the labelled rows of a table, each figure on a line.</summary>
internal static class TableResult
{
    /// <summary>Measures and shows.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="ml">Measures.</param>
    /// <param name="task">What was learned.</param>
    /// <param name="rows">The rows before they were scored, which have the labels as text.</param>
    /// <param name="scored">The same, scored.</param>
    /// <exception cref="UserException">The model knows none of the labels.</exception>
    public static void Show(ToolConsole console, MLContext ml, TableTask? task, IDataView rows, IDataView scored)
    {
        switch (task)
        {
            case TableTask.Regression:
                var numbers = ml.Regression.Evaluate(scored);
                Line("RMSE", numbers.RootMeanSquaredError);
                Line("R²", numbers.RSquared);
                break;
            case TableTask.Binary:
                var truths = ml.BinaryClassification.Evaluate(scored);
                Line("accuracy", truths.Accuracy);
                Line("log-loss", truths.LogLoss * Math.Log(2)); // in bits before
                Line("AUC", truths.AreaUnderRocCurve);
                break;
            default:
                var classes = TestResult.Of(ml, scored, FeatureTable.Label, Predictions.CountBy(rows, FeatureTable.Label));
                Line("accuracy", classes.Accuracy);
                Line("log-loss", classes.LogLoss);
                break;
        }

        void Line(string name, double value) => console.Line(string.Create(CultureInfo.InvariantCulture, $"Test {name}: {value:0.0000}"));
    }
}
