using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.MlNet;

/// <summary>What ML.NET's environments keep to themselves.</summary>
internal static class Environments
{
    /// <summary>The environment that a catalog of trainers belongs to.</summary>
    public static IHostEnvironment Of(TrainCatalogBase.CatalogInstantiatorBase trainers)
    {
        ArgumentNullException.ThrowIfNull(trainers);
        return CatalogUtils.GetEnvironment(trainers);
    }

    /// <summary>The environment that a catalog of text transforms belongs to.</summary>
    public static IHostEnvironment Of(TransformsCatalog.TextTransforms transforms)
    {
        ArgumentNullException.ThrowIfNull(transforms);
        return CatalogUtils.GetEnvironment(transforms);
    }

    /// <summary>The seed that <see cref="MLContext"/> was made with, if any.</summary>
    public static int? SeedOf(IHostEnvironment environment) => (environment as IHostEnvironmentInternal)?.Seed;

    /// <summary>The GPU that <see cref="MLContext"/> names, if any, and whether the CPU may take its place.</summary>
    public static (int? Number, bool MayFallBack) GpuOf(IHostEnvironment environment) =>
        environment is IHostEnvironmentInternal own ? (own.GpuDeviceId, own.FallbackToCpu) : (null, true);

    /// <summary>A context of its own that uses the same GPU.</summary>
    public static MLContext Beside(IHostEnvironment environment, int seed)
    {
        var (gpu, mayFallBack) = GpuOf(environment);
        return new MLContext(seed) { GpuDeviceId = gpu, FallbackToCpu = mayFallBack };
    }

    /// <summary>Throws when execution was cancelled on the <see cref="MLContext"/>.</summary>
    /// <exception cref="OperationCanceledException">It was.</exception>
    public static void ThrowIfCanceled(IHostEnvironment environment) => environment.CheckAlive();
}
