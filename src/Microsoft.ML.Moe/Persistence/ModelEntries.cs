using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The files that all saved models have: column names, configuration and weights.</summary>
internal static class ModelEntries
{
    /// <summary>Name of the file with the columns' names.</summary>
    public const string Columns = "Columns.json";

    private const string Config = "Config.json";
    private const string Weights = "Weights.safetensors";
    private const int MaximumJsonLength = 1 << 20;
    private const long MaximumWeightsLength = 1L << 40;

    /// <summary>Writes column names, configuration and weights.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="columns">Names of the columns.</param>
    /// <param name="save">Saves configuration and weights.</param>
    public static void Write<TColumns>(ModelFolderWriter folder, TColumns columns, Action<Stream, Stream> save)
    {
        JsonEntry.Write(folder, Columns, columns);
        folder.AddEntry(Config, config => folder.AddEntry(Weights, weights => save(config, weights)));
    }

    /// <summary>Reads the column names.</summary>
    /// <exception cref="InvalidDataException">The file is missing or damaged; the message names it.</exception>
    public static TColumns ReadColumns<TColumns>(ModelFolderReader folder)
        where TColumns : class => JsonEntry.Read<TColumns>(folder, Columns, MaximumJsonLength);

    /// <summary>Reads configuration and weights into an engine of their own.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="load">Loads the model from configuration and weights.</param>
    /// <param name="create">Makes the transformer, which owns the engine from then on.</param>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    public static TTransformer ReadModel<TModel, TTransformer>(
        ModelFolderReader folder, Func<Stream, Stream, Engine, TModel> load, Func<TModel, Engine, TTransformer> create)
    {
        var engine = Engines.Create(folder.Environment);
        try
        {
            var model = folder.Read(Config, MaximumJsonLength, config =>
                folder.Read(Weights, MaximumWeightsLength, weights => load(config, weights, engine)));
            return create(model, engine);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }
}
