using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML;

/// <summary>
/// Importance of the columns that a whole chain reads, as they are in the table: a text, a category, a number, before any featurization. ML.NET's
/// own <c>PermutationFeatureImportance</c> permutes slots of the vector after it, and needs names of slots.
/// </summary>
public static class MoeImportanceCatalog
{
    private const string Score = "Score";

    /// <summary>By how much the log-loss grows when a column's values are exchanged between rows. Rows are scored in batches.</summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="model">A chain, of this library's transformers or others, that reads the table and gives <c>Score</c>.</param>
    /// <param name="data">Labelled rows, which must come in the same order whenever they are read.</param>
    /// <param name="labelColumnName">The label, as the chain gives it.</param>
    /// <param name="permutationCount">How often each column is permuted, at least 1.</param>
    /// <param name="seed">Seeds the permutations.</param>
    /// <returns>The columns that the model reads, the most important first.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing, or <paramref name="permutationCount"/> is below 1.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows.</exception>
    public static IReadOnlyList<ColumnImportance> GetFeatureImportance(
        this MulticlassClassificationCatalog catalog,
        ITransformer model,
        IDataView data,
        string labelColumnName = "Label",
        int permutationCount = 1,
        int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ColumnImportanceRun(model, data, scored => catalog.Evaluate(scored, labelColumnName).LogLoss)
            .Execute(labelColumnName, Score, permutationCount, seed);
    }

    /// <inheritdoc cref="GetFeatureImportance(MulticlassClassificationCatalog, ITransformer, IDataView, string, int, int)"/>
    public static IReadOnlyList<ColumnImportance> GetFeatureImportance(
        this BinaryClassificationCatalog catalog,
        ITransformer model,
        IDataView data,
        string labelColumnName = "Label",
        int permutationCount = 1,
        int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ColumnImportanceRun(model, data, scored => catalog.Evaluate(scored, labelColumnName).LogLoss * Math.Log(2))
            .Execute(labelColumnName, Score, permutationCount, seed);
    }

    /// <summary>By how much the root of the mean squared error grows when a column's values are exchanged between rows.</summary>
    /// <inheritdoc cref="GetFeatureImportance(MulticlassClassificationCatalog, ITransformer, IDataView, string, int, int)"/>
    public static IReadOnlyList<ColumnImportance> GetFeatureImportance(
        this RegressionCatalog catalog,
        ITransformer model,
        IDataView data,
        string labelColumnName = "Label",
        int permutationCount = 1,
        int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return new ColumnImportanceRun(model, data, scored => catalog.Evaluate(scored, labelColumnName).RootMeanSquaredError)
            .Execute(labelColumnName, Score, permutationCount, seed);
    }
}
