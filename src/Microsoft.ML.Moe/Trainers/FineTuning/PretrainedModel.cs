using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// An earlier model to start training from instead of random weights, from a file or from memory: a classifier of
/// <see cref="MoeTextClassificationTrainer"/> or <see cref="MoeImageClassificationTrainer"/>, or an encoder of
/// <see cref="MoeTextPretrainer"/>. A path converts by itself.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var options = new MoeTextClassificationTrainer.Options { Sentence1ColumnName = "Text", InitialModel = "pretrained.zip" };
/// ]]></code>
/// </example>
public sealed class PretrainedModel
{
    private readonly string? _path;
    private readonly MoeTransformer? _model;

    private PretrainedModel(string path) => _path = path;

    private PretrainedModel(MoeTransformer model) => _model = model;

    /// <summary>A file.</summary>
    /// <param name="path">Path of a zip that <c>mlContext.Model.Save</c> has written; read by each <c>Fit</c>, and closed again.</param>
    public static implicit operator PretrainedModel(string path) => FromFile(path);

    /// <summary>A file.</summary>
    /// <param name="path">Path of a zip that <c>mlContext.Model.Save</c> has written; read by each <c>Fit</c>, and closed again.</param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static PretrainedModel FromFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        CheckExists(path);
        return new PretrainedModel(path);
    }

    /// <summary>A model in memory, which stays its owner's to dispose.</summary>
    /// <param name="model">
    /// The transformer, or a chain with exactly one such: what <c>Fit</c> and <c>mlContext.Model.Load</c> return. Must not be disposed
    /// before the training that starts from it.
    /// </param>
    /// <exception cref="ArgumentException">There is none among the chain's transformers, or more than one.</exception>
    public static PretrainedModel From(ITransformer model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new PretrainedModel(Find(model, reason => new ArgumentException($"The chain {reason}", nameof(model))));
    }

    /// <summary>Lends the model.</summary>
    /// <param name="environment">Loads files.</param>
    /// <param name="use">Is given the transformer, which is gone afterwards if it comes from a file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidOperationException">The file is no model, or does not contain exactly one of this library.</exception>
    internal T Use<T>(IHostEnvironment environment, Func<MoeTransformer, T> use)
    {
        if (_path is null)
            return use(_model!);
        var loaded = Load(environment, _path);
        using (loaded as IDisposable)
            return use(Find(loaded, reason => new InvalidOperationException($"The initial model {_path} {reason}")));
    }

    private static ITransformer Load(IHostEnvironment environment, string path)
    {
        CheckExists(path);
        try
        {
            return new ModelOperationsCatalog(environment).Load(path, out _);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or FormatException or InvalidOperationException or ArgumentException)
        {
            throw new InvalidOperationException($"The initial model {path} is not a model that can be loaded: {e.Message}", e);
        }
    }

    private static void CheckExists(string path)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"There is no initial model {path}.", path);
    }

    /// <summary>The only transformer of this library in a chain, however nested.</summary>
    private static MoeTransformer Find(ITransformer model, Func<string, Exception> error)
    {
        var found = Flatten(model).OfType<MoeTransformer>().ToList();
        return found switch
        {
            [var only] => only,
            [] => throw error(
                "holds no model of this library to start from."),
            _ => throw error($"holds {found.Count} models to start from; pass the right one to {nameof(PretrainedModel)}.{nameof(From)}."),
        };
    }

    private static IEnumerable<ITransformer> Flatten(ITransformer model) =>
        model is IEnumerable<ITransformer> chain ? chain.SelectMany(Flatten) : [model];
}
