using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Turns libtorch's out-of-memory errors into ones that say what to do.</summary>
internal static class OutOfMemory
{
    /// <summary>Runs what may take much memory.</summary>
    /// <param name="engine">Whose memory.</param>
    /// <param name="batch">The batch under way, if there is one.</param>
    /// <param name="body">What to run.</param>
    /// <exception cref="InsufficientMemoryException">Memory ran out.</exception>
    public static T Explained<T>(TorchEngine engine, SequenceLayout? batch, Func<T> body)
    {
        try
        {
            return body();
        }
        catch (ExternalException error) when (Is(error))
        {
            throw Error(error, engine.DeviceName, batch);
        }
    }

    /// <summary>Whether an error of libtorch says that memory ran out.</summary>
    public static bool Is(ExternalException error) => Says(error.Message);

    /// <summary>The error to raise instead.</summary>
    /// <param name="error">What libtorch said.</param>
    /// <param name="device">Where memory ran out.</param>
    /// <param name="batch">The batch under way, if there is one.</param>
    public static InsufficientMemoryException Error(ExternalException error, string device, SequenceLayout? batch)
    {
        var where = batch is null ? "" : $" in a batch of size {batch.Sequences} with {batch.Tokens} tokens";
        return new InsufficientMemoryException(
            $"The memory of {device} ran out{where}. Lower BatchSize; AccumulationSteps makes up for it when training: half the batch "
            + $"size and two accumulated passes take the same step in half the memory. libtorch said: {Reason(error)}",
            error);
    }

    // TorchScript says first where in the script it was.
    private static string Reason(ExternalException error) => error.Message.Split('\n').FirstOrDefault(Says) ?? error.Message;

    private static bool Says(string message) =>
        message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
        || message.Contains("can't allocate memory", StringComparison.OrdinalIgnoreCase)
        || message.Contains("not enough memory", StringComparison.OrdinalIgnoreCase);
}
