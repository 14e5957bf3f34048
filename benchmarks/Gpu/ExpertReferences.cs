using Microsoft.ML.Moe.Benchmarks.Cases;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Benchmarks.Reporting;

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
            var title = $"SwiGLU {shape}, {_device.Precision}, {pass} / {Version}, {name}";
            PairedResult result;
            try
            {
                result = runner.Compare(
                    ours, repeats => PyTorch.Instance!.Run(NameOf(way, pass, shape), _device.Threads, repeats));
            }
            catch (InvalidOperationException e)
            {
                // The other way may do with less.
                Report.ShowSkipped($"{id} {title}", e.Message);
                continue;
            }

            yield return new Figure(id, title, _device.Threads, result.Ratio, result.Spread, way == Loop ? loopBound : null)
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = work,
            };
        }
    }

    /// <summary>The most bytes that training steps take in PyTorch, by way, each in a process of its own.</summary>
    /// <param name="first">A layer that makes the process and the device ready, whose memory does not count.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="steps">Number of steps.</param>
    public IEnumerable<(string Name, double Bytes)> PeakBytes(MoeShape first, MoeShape shape, int steps)
    {
        foreach (var (name, way) in _present)
        {
            using var pyTorch = PyTorch.Start()!;
            Step(pyTorch, way, first, steps);
            var before = _device.UsedBytes(pyTorch.ProcessId)!.Value;
            Step(pyTorch, way, shape, steps);
            yield return (name, _device.PeakBytes(pyTorch.ProcessId)!.Value - before);
        }
    }

    private string? WhyNot(string way) =>
        PyTorch.Instance is { } pyTorch ? pyTorch.WhyNot(way, _device.Precision, _device.Name) : "PyTorch (python3-torch) is not installed.";

    private void Step(PyTorch pyTorch, string way, MoeShape shape, int steps)
    {
        for (var i = 0; i < steps; i++)
            pyTorch.Run(NameOf(way, "training", shape), _device.Threads, repeats: 1);
    }

    private string NameOf(string way, string pass, MoeShape shape) =>
        $"layer/{way}/{pass}/{_device.Precision}/"
        + $"{shape.Tokens}/{shape.Width}/{shape.HiddenWidth}/{shape.Experts}/{shape.ExpertsPerToken}/{_device.Name}";
}
