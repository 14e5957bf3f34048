using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>The ways in which PyTorch can run the layer on a device, in the device's precision.</summary>
internal sealed class ExpertReferences
{
    private const string Loop = "loop";
    private static readonly (string Name, string Way)[] Ways = [("loop over experts", Loop), ("grouped product", "grouped")];
    private readonly TorchDevice _device;
    private readonly List<(string Name, string Way)> _present = [];
    private readonly List<string> _missing = [];

    public ExpertReferences(TorchDevice device)
    {
        _device = device;
        foreach (var (name, way) in Ways)
        {
            if (WhyNot(way) is { } reason)
                _missing.Add($"PyTorch's {name} in {device.Precision}: {reason}");
            else
                _present.Add((name, way));
        }
    }

    /// <summary>PyTorch's version; null where it is not installed.</summary>
    public static string? Version => PyTorch.Instance?.Version;

    /// <summary>What is left out, and why.</summary>
    public IReadOnlyList<string> Missing => _missing;

    /// <summary>Compares a pass of our layer with PyTorch's ways.</summary>
    /// <param name="runner">Measures.</param>
    /// <param name="id">Row of the table.</param>
    /// <param name="pass">"forward" or "training".</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="ours">Our side, for <see cref="PairedRunner"/>.</param>
    /// <param name="work">Least work.</param>
    /// <param name="loopBound">What the ratio to the loop over experts must reach; null where there is no goal.</param>
    public IEnumerable<Figure> Compare(
        PairedRunner runner, string id, string pass, MoeShape shape, Func<int, double> ours, Work work, Bound? loopBound = null)
    {
        foreach (var (name, way) in _present)
        {
            var result = runner.Compare(
                ours, repeats => PyTorch.Instance!.Run(NameOf(way, pass, shape), _device.Threads, repeats));
            yield return new Figure(
                id,
                $"SwiGLU {shape}, {_device.Precision}, {pass} / {Version}, {name}",
                _device.Threads,
                result.Ratio,
                result.Spread,
                way == Loop ? loopBound : null)
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = work,
            };
        }
    }

    /// <summary>The most bytes that a training step takes in PyTorch, by way.</summary>
    public IEnumerable<(string Name, double Bytes)> PeakBytes(MoeShape shape) =>
        _present.Select(way => (way.Name, PyTorch.Instance!.PeakBytes(NameOf(way.Way, "training", shape))));

    private string? WhyNot(string way) =>
        PyTorch.Instance is { } pyTorch ? pyTorch.WhyNot(way, _device.Precision, _device.Name) : "PyTorch (python3-torch) is not installed.";

    private string NameOf(string way, string pass, MoeShape shape) =>
        $"layer/{way}/{pass}/{_device.Precision}/"
        + $"{shape.Tokens}/{shape.Width}/{shape.HiddenWidth}/{shape.Experts}/{shape.ExpertsPerToken}/{_device.Name}";
}
