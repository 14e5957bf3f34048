namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Processes that train one model together, its ranks: each has a copy of the model, reads the same rows and computes the gradient of a share of
/// each batch. Used by one thread. <c>MpiCommunicator</c> of the package MlNetMoe.Mpi is one on MPI.
/// </summary>
public interface ICommunicator
{
    /// <summary>Number of this process, within [0, <see cref="Size"/>).</summary>
    int Rank { get; }

    /// <summary>Number of processes, at least 1.</summary>
    int Size { get; }

    /// <summary>Sends to a rank what it receives by its own call of this method, and receives what it sends. Returns when both are done.</summary>
    /// <param name="partner">The other rank.</param>
    /// <param name="send">What it shall receive.</param>
    /// <param name="receive">Receives exactly as many bytes as the other sends.</param>
    void Exchange(int partner, ReadOnlySpan<byte> send, Span<byte> receive);
}
