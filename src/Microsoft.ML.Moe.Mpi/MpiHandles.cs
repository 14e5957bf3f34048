using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Mpi;

/// <summary>
/// What the constants of <c>mpi.h</c> are to a caller: addresses of the library's own objects in Open MPI, numbers in MPICH and all that have its binary
/// interface.
/// </summary>
/// <param name="World">MPI_COMM_WORLD.</param>
/// <param name="Byte">MPI_BYTE.</param>
/// <param name="NoStatus">MPI_STATUS_IGNORE.</param>
internal sealed record MpiHandles(nint World, nint Byte, nint NoStatus)
{
    private static readonly MpiHandles OfMpich = new(0x44000000, 0x4c00010d, 1);

    /// <summary>Those of a library that was loaded.</summary>
    public static MpiHandles Of(nint library) => NativeLibrary.TryGetExport(library, "ompi_mpi_comm_world", out var world)
        ? new MpiHandles(world, NativeLibrary.GetExport(library, "ompi_mpi_byte"), 0)
        : OfMpich;
}
