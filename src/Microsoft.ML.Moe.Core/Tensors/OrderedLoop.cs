using System.Runtime.ExceptionServices;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>A loop whose items run in any order and at the same time, and that fails as if they had run one after the other.</summary>
/// <param name="body">Runs an item.</param>
internal sealed class OrderedLoop(Action<int> body)
{
    private readonly Lock _lock = new();
    private ExceptionDispatchInfo? _error;
    private int _failed = int.MaxValue;

    /// <summary>Runs an item, unless one before it has failed; raises no errors.</summary>
    public void Run(int item, int worker)
    {
        if (item > Volatile.Read(ref _failed))
            return;
        try
        {
            body(item);
        }
        catch (Exception error)
        {
            lock (_lock)
                if (item < _failed)
                    (_failed, _error) = (item, ExceptionDispatchInfo.Capture(error));
        }
    }

    /// <summary>Raises the error of the first item that has failed.</summary>
    public void ThrowIfFailed() => _error?.Throw();
}
