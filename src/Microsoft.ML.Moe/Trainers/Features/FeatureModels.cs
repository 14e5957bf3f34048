using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>What the transformers of features have in common beside their bases.</summary>
internal static class FeatureModels
{
    /// <summary>What the model's slots are.</summary>
    public static FeatureInputConfig InputOf(FittedModel model) => (FeatureInputConfig)model.Config.Input;

    /// <summary>Type of the feature column.</summary>
    public static DataViewType TypeOf(FittedModel model) => new VectorDataViewType(NumberDataViewType.Single, InputOf(model).Slots);

    /// <summary>Loads a model from the files of a zip.</summary>
    public static Model<FeatureRow> Load(Stream config, Stream weights, Engine engine, TextTokenizer? tokenizer) =>
        ModelFiles.LoadFeatures(config, weights, engine);

    /// <summary>What reads the rows of a loaded model.</summary>
    public static RowSource<FeatureRow> RowsOf(string column, Model<FeatureRow> model) =>
        new FeatureRows(column, ((FeatureInput)model.Input).Slots);

    /// <summary>The model with some of its members alone.</summary>
    public static FittedModel WithMembers(FittedModel model, IReadOnlyList<int> members, IDisposable hold) =>
        ((FittedModel<FeatureRow>)model).With(one => MemberChoice.Keep(one, members), hold);

    /// <summary>By which slots the experts' rows differ.</summary>
    public static IReadOnlyList<ExpertSlots> ReportSlots(FittedModel model, IDataView data, int top) =>
        ((FittedModel<FeatureRow>)model).Report(data, (one, rows) => ExpertSlotsReport.Of(one, rows, top));

    /// <summary>What an estimator promises of a table whose feature and label columns are right.</summary>
    /// <param name="inputSchema">Shape of the table.</param>
    /// <param name="weight">Name of the column of weights, if any.</param>
    /// <param name="added">The columns that are added.</param>
    /// <exception cref="ArgumentOutOfRangeException">The column of weights is missing or of the wrong type.</exception>
    public static SchemaShape Promise(NamedShape inputSchema, string? weight, IReadOnlyList<SchemaShape.Column> added)
    {
        if (weight is not null)
            InputColumns.CheckWeight(inputSchema, weight);
        return new SchemaShape(inputSchema.Schema.Where(column => added.All(a => a.Name != column.Name)).Concat(added));
    }
}
