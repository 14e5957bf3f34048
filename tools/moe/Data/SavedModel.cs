using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;

namespace MoeTool.Data;

/// <summary>A model that was saved, taken apart.</summary>
internal sealed class SavedModel : IDisposable
{
    private SavedModel(string file, ITransformer chain, List<ITransformer> steps, DataViewSchema input)
    {
        (File, Chain, Steps, Input) = (file, chain, steps, input);
        Model = steps.OfType<MoeTransformer>().Single(IsModel);
    }

    /// <summary>The file.</summary>
    public string File { get; }

    /// <summary>All of it.</summary>
    public ITransformer Chain { get; }

    /// <summary>Its steps.</summary>
    public IReadOnlyList<ITransformer> Steps { get; }

    /// <summary>The columns that it was saved with.</summary>
    public DataViewSchema Input { get; }

    /// <summary>The step of this library that predicts: classes, yes or no, or a number.</summary>
    public MoeTransformer Model { get; }

    /// <summary>Whether it learned from a vector of features.</summary>
    public bool IsOfFeatures => Model is MoeFeatureTransformer or MoeFeatureClassificationTransformer;

    /// <summary>Loads a model.</summary>
    /// <exception cref="UserException">There is no such file, or none that a command line can use.</exception>
    public static SavedModel Load(MLContext ml, string file)
    {
        if (!System.IO.File.Exists(file))
            throw new UserException($"There is no model '{file}'.");
        ml.ComponentCatalog.RegisterAssembly(typeof(ImageLoadingTransformer).Assembly);
        ITransformer chain;
        DataViewSchema input;
        try
        {
            chain = ml.Model.Load(file, out input);
        }
        catch (Exception e) when (e is InvalidDataException or FormatException or InvalidOperationException or ArgumentException)
        {
            throw new UserException($"'{file}' is no model that can be loaded: {e.Message}");
        }

        var steps = StepsOf(chain).ToList();
        if (steps.Count(IsModel) != 1)
            throw new UserException($"'{file}' does not contain one classifier or regressor of this library.");
        return input is null
            ? throw new UserException($"'{file}' was saved without the schema of its input.")
            : new SavedModel(file, chain, steps, input);
    }

    /// <summary>Rows as the model's own step reads them.</summary>
    public IDataView Prepared(IDataView rows) =>
        Steps.TakeWhile(step => step != Model).Aggregate(rows, (data, step) => step.Transform(data));

    public void Dispose() => (Chain as IDisposable)?.Dispose();

    /// <summary>The transformers of a chain, and of the chains within it.</summary>
    public static IEnumerable<ITransformer> StepsOf(ITransformer transformer) =>
        transformer is IEnumerable<ITransformer> chain ? chain.SelectMany(StepsOf) : [transformer];

    private static bool IsModel(ITransformer step) =>
        step is MoeClassificationTransformer or MoeTextToTextClassificationTransformer or MoeFeatureTransformer;
}
