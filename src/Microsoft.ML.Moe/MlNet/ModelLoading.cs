using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.MlNet;

/// <summary>What the loaders that ML.NET calls have in common.</summary>
internal static class ModelLoading
{
    /// <summary>Reads a model's folder.</summary>
    /// <param name="environment">The environment.</param>
    /// <param name="context">The folder.</param>
    /// <param name="version">Kind and version of the model.</param>
    /// <param name="read">Reads the entries.</param>
    public static T Read<T>(IHostEnvironment environment, ModelLoadContext context, VersionInfo version, Func<ModelFolderReader, T> read)
    {
        try
        {
            return read(new ModelFolderReader(environment, context, version));
        }
        catch (Exception e)
        {
            // makes ML.NET report what went wrong as its own errors instead of a TargetInvocationException
            environment.Process(e);
            throw;
        }
    }
}
