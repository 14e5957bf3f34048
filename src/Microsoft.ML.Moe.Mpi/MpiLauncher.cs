using System.Globalization;

namespace Microsoft.ML.Moe.Mpi;

/// <summary>What has started this process.</summary>
internal static class MpiLauncher
{
    // how many processes there are, as they tell each of them
    private const string SizeOfOpenMpi = "OMPI_COMM_WORLD_SIZE";
    private const string SizeOfMpich = "PMI_SIZE";

    /// <summary>Whether it is Open MPI's.</summary>
    public static bool IsOpenMpi => Environment.GetEnvironmentVariable(SizeOfOpenMpi) is not null;

    /// <summary>How many processes it says that there are; null where it says nothing.</summary>
    public static int? Ranks => int.TryParse(
        Environment.GetEnvironmentVariable(IsOpenMpi ? SizeOfOpenMpi : SizeOfMpich), NumberStyles.None, CultureInfo.InvariantCulture, out var ranks)
        ? ranks
        : null;
}
