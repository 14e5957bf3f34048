using System.CommandLine;
using System.Globalization;
using Microsoft.ML.Moe.Benchmarks.Cases;

namespace Microsoft.ML.Moe.Benchmarks.Gpu;

/// <summary>
/// The command with which the program asks itself for the most memory that a layer's training step takes: a process keeps its peak, so
/// each measurement needs one of its own.
/// </summary>
internal sealed class PeakMemoryCommand : System.CommandLine.Command
{
    private const string CommandName = "gpu-peak-memory";
    private const int Steps = 2;

    public PeakMemoryCommand()
        : base(CommandName)
    {
        Hidden = true;
        Option<int?> gpu = new("--gpu");
        Option<bool> inBFloat16 = new("--bf16");
        Argument<int[]> sizes = new("sizes");
        Add(gpu);
        Add(inBFloat16);
        Add(sizes);
        SetAction(result =>
        {
            var (bytes, weights) = Measure(
                ShapeOf(result.GetValue(sizes)!), new TorchDevice(result.GetValue(gpu), result.GetValue(inBFloat16)));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{bytes} {weights}"));
        });
    }

    /// <summary>Measures in a process of its own.</summary>
    /// <returns>Bytes at the peak, without what the device takes to be ready, and the layer's number of weights.</returns>
    /// <exception cref="InvalidOperationException">The process failed; the message is its last.</exception>
    public static (long Bytes, long Weights) Ask(MoeShape shape, TorchDevice device)
    {
        List<string> arguments = [CommandName, .. SizesOf(shape).Select(Text)];
        if (device.Gpu is { } gpu)
            arguments.AddRange(["--gpu", Text(gpu)]);
        if (device.InBFloat16)
            arguments.Add("--bf16");
        var answer = OwnProgram.Ask(arguments).Split(' ');
        return (long.Parse(answer[0], CultureInfo.InvariantCulture), long.Parse(answer[1], CultureInfo.InvariantCulture));
    }

    private static (long Bytes, long Weights) Measure(MoeShape shape, TorchDevice device)
    {
        // A first, tiny layer makes the device ready, which takes memory of its own.
        RunSteps(shape with { Tokens = 1, Width = 16, HiddenWidth = 16 }, device);
        var before = device.PeakBytes()!.Value;
        var weights = RunSteps(shape, device);
        return (device.PeakBytes()!.Value - before, weights);
    }

    private static long RunSteps(MoeShape sizes, TorchDevice device)
    {
        using var layer = new SwiGluLayer(sizes, device);
        using var optimizer = layer.CreateOptimizer();
        for (var i = 0; i < Steps; i++)
            layer.Step(optimizer);
        return layer.Weights;
    }

    private static int[] SizesOf(MoeShape shape) =>
        [shape.Tokens, shape.Width, shape.HiddenWidth, shape.Experts, shape.ExpertsPerToken];

    private static MoeShape ShapeOf(int[] sizes) => new(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
