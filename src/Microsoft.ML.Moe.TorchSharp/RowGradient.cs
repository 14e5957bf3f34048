using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// The gradient of a table of which few rows have one: parts, one for each operation that read rows, each with its row numbers on
/// the host and on the device. Memory and time depend on what was touched and not on the table.
/// </summary>
internal sealed class RowGradient : IDisposable
{
    private readonly List<(int[] Rows, torch.Tensor RowsU, torch.Tensor GradientUD)> _parts = [];

    /// <summary>Adds rows that differ from each other; the memory of their numbers and gradient is held from now on.</summary>
    public void Add(int[] rows, torch.Tensor rowsU, torch.Tensor gradientUD) =>
        _parts.Add((rows, rowsU.alias().DetachFromDisposeScope(), gradientUD.alias().DetachFromDisposeScope()));

    /// <summary>The rows with a gradient, each once, and the sum of their parts. Belongs to the dispose scope under way.</summary>
    public (int[] Rows, torch.Tensor RowsU, torch.Tensor GradientUD)? Sum(torch.Device device)
    {
        if (_parts.Count == 0)
            return null;
        if (_parts.Count == 1)
            return (_parts[0].Rows, _parts[0].RowsU.alias(), _parts[0].GradientUD.alias());
        var slots = new RowSlots();
        var slotsOfParts = _parts.Select(part => slots.Of(part.Rows)).ToArray();
        var sumUD = torch.zeros([slots.Rows.Count, _parts[0].GradientUD.shape[1]], device: device);
        for (var i = 0; i < _parts.Count; i++)
            sumUD.index_add_(0, device.Upload(slotsOfParts[i]), _parts[i].GradientUD, Scalars.Of(1f));
        int[] rows = [.. slots.Rows];
        return (rows, device.Upload(rows), sumUD);
    }

    /// <summary>Forgets all rows.</summary>
    public void Clear()
    {
        foreach (var (_, rowsU, gradientUD) in _parts)
        {
            rowsU.Dispose();
            gradientUD.Dispose();
        }

        _parts.Clear();
    }

    public void Dispose() => Clear();
}
