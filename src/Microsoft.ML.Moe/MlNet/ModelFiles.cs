using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.MlNet;

/// <summary>Loads models where there is an environment but no <see cref="MLContext"/>.</summary>
internal static class ModelFiles
{
    /// <summary>Loads a model that <c>mlContext.Model.Save</c> has written.</summary>
    public static ITransformer Load(IHostEnvironment environment, string path) =>
        new ModelOperationsCatalog(environment).Load(path, out _);
}
