using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>A ResNet of Hugging Face's as plain loops over its file's tensors, one image at a time, channels first.</summary>
/// <param name="files">The weights.</param>
/// <param name="isBottleneck">Three convolutions in a block, not two.</param>
/// <param name="firstStage">Whether the first stage halves the resolution.</param>
/// <param name="firstOfBottleneck">Whether a bottleneck's first convolution does it.</param>
internal sealed class ResNetReference(TensorFiles files, bool isBottleneck, bool firstStage, bool firstOfBottleneck)
{
    private const double Epsilon = 1e-5;

    /// <summary>The last stage's pixels, each with its channels.</summary>
    public double[] Run(double[,,] image, int[] depths)
    {
        var x = MaxPool(Activated(Normed(image, "embedder.embedder", 2)));
        for (var stage = 0; stage < depths.Length; stage++)
            for (var layer = 0; layer < depths[stage]; layer++)
                x = Block(x, $"encoder.stages.{stage}.layers.{layer}", layer == 0 && (stage > 0 || firstStage) ? 2 : 1);
        var (channels, height, width) = Size(x);
        return [.. from y in Enumerable.Range(0, height) from column in Enumerable.Range(0, width) from c in Enumerable.Range(0, channels) select x[c, y, column]];
    }

    private double[,,] Block(double[,,] x, string name, int stride)
    {
        int[] strides = !isBottleneck ? [stride, 1] : firstOfBottleneck ? [stride, 1, 1] : [1, stride, 1];
        var y = x;
        for (var i = 0; i < strides.Length; i++)
            y = Normed(i == 0 ? y : Activated(y), $"{name}.layer.{i}", strides[i]);
        var added = files.Tensors.ContainsKey($"resnet.{name}.shortcut.convolution.weight") ? Normed(x, name + ".shortcut", stride) : x;
        return Each(y, (c, row, column) => Math.Max(0, y[c, row, column] + added[c, row, column]));
    }

    private double[,,] Normed(double[,,] x, string name, int stride)
    {
        var (shape, kernel) = Read(name + ".convolution.weight");
        var (gain, bias, mean, variance) = (
            Read(name + ".normalization.weight").Values, Read(name + ".normalization.bias").Values,
            Read(name + ".normalization.running_mean").Values, Read(name + ".normalization.running_var").Values);
        var (inputs, height, width) = Size(x);
        var (side, padding) = (shape[2], shape[2] / 2);
        var y = new double[shape[0], (height + 2 * padding - side) / stride + 1, (width + 2 * padding - side) / stride + 1];
        return Each(y, (o, row, column) =>
        {
            var sum = 0.0;
            for (var i = 0; i < inputs; i++)
                for (var v = 0; v < side; v++)
                    for (var u = 0; u < side; u++)
                    {
                        var (top, left) = (row * stride + v - padding, column * stride + u - padding);
                        if (top >= 0 && top < height && left >= 0 && left < width)
                            sum += kernel[((o * inputs + i) * side + v) * side + u] * x[i, top, left];
                    }

            return gain[o] * (sum - mean[o]) / Math.Sqrt(variance[o] + Epsilon) + bias[o];
        });
    }

    private static double[,,] MaxPool(double[,,] x)
    {
        var (channels, height, width) = Size(x);
        return Each(new double[channels, (height - 1) / 2 + 1, (width - 1) / 2 + 1], (c, row, column) => (
            from top in Enumerable.Range(2 * row - 1, 3)
            from left in Enumerable.Range(2 * column - 1, 3)
            where top >= 0 && top < height && left >= 0 && left < width
            select x[c, top, left]).Max());
    }

    private static double[,,] Activated(double[,,] x) => Each(x, (c, row, column) => Math.Max(0, x[c, row, column]));

    private static double[,,] Each(double[,,] like, Func<int, int, int, double> value)
    {
        var (channels, height, width) = Size(like);
        var result = new double[channels, height, width];
        for (var c = 0; c < channels; c++)
            for (var row = 0; row < height; row++)
                for (var column = 0; column < width; column++)
                    result[c, row, column] = value(c, row, column);
        return result;
    }

    private static (int Channels, int Height, int Width) Size(double[,,] x) => (x.GetLength(0), x.GetLength(1), x.GetLength(2));

    private (int[] Shape, float[] Values) Read(string name)
    {
        var tensor = files.Tensors["resnet." + name];
        var values = new float[tensor.Elements];
        files.Read(tensor, 0, values);
        return (tensor.Shape, values);
    }
}
