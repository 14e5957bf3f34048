using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableTheory]
    [InlineData(0, 3, 3, 2, 4, 3, 1)]
    [InlineData(1, 1, 1, 1, 1, 3, 2)]
    [InlineData(2, 5, 4, 3, 7, 3, 1)]
    [InlineData(3, 5, 6, 4, 34, 3, 2)]
    [InlineData(2, 6, 7, 2, 5, 5, 3)]
    [InlineData(2, 3, 4, 5, 6, 1, 2)]
    [InlineData(2, 9, 8, 60, 17, 3, 1)]
    public void ConvolutionEqualsLoops(int images, int height, int width, int channels, int outputs, int side, int stride)
    {
        using var engine = CreateEngine();
        var spec = new ConvolutionSpec(height, width, side, stride);
        var x = Input.Random(1, images * height * width, channels);
        var weight = new Input([side * side * channels, outputs], TestNumbers.Normal(2, side * side * channels * outputs, 0.1f));
        var bias = Input.Random(3, outputs);
        Assert.Equal((height + stride - 1) / stride, spec.ResultHeight);
        Assert.Equal((width + stride - 1) / stride, spec.ResultWidth);
        var expected = new double[images * spec.ResultHeight * spec.ResultWidth * outputs];
        for (var i = 0; i < expected.Length; i++)
        {
            var (window, o) = (i / outputs, i % outputs);
            var (image, top, left) = (
                window / (spec.ResultHeight * spec.ResultWidth), window / spec.ResultWidth % spec.ResultHeight, window % spec.ResultWidth);
            expected[i] = bias.Values[o];
            for (var k = 0; k < side * side * channels; k++)
            {
                var y = top * stride + k / channels / side - side / 2;
                var column = left * stride + k / channels % side - side / 2;
                if (y >= 0 && y < height && column >= 0 && column < width)
                    expected[i] += (double)weight.Values[k * outputs + o]
                        * x.Values[((image * height + y) * width + column) * channels + k % channels];
            }
        }

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.Convolution(p[0], p[1], p[2], spec), x, weight, bias));
    }

    [SkippableTheory]
    [InlineData(2, 3, 4, 2, 3, 3, 1)]
    [InlineData(1, 4, 3, 3, 2, 3, 2)]
    [InlineData(1, 5, 2, 1, 2, 5, 3)]
    public void ConvolutionGradients(int images, int height, int width, int channels, int outputs, int side, int stride)
    {
        using var engine = CreateEngine();
        var spec = new ConvolutionSpec(height, width, side, stride);
        Input[] inputs =
        [
            Input.Random(1, images * height * width, channels),
            new([side * side * channels, outputs], TestNumbers.Normal(2, side * side * channels * outputs, 0.3f)),
            Input.Random(3, outputs),
        ];
        GradientCheck.Run(engine, (tape, p) => tape.Convolution(p[0], p[1], p[2], spec), inputs);
        if (stride == 1 && channels == 2)
            // added to what another operation has left there
            GradientCheck.Run(
                engine,
                (tape, p) => tape.Concat(tape.Convolution(p[0], p[1], null, spec), tape.Convolution(p[0], p[1], p[2], spec), p[0]),
                inputs);
    }

    [SkippableTheory]
    [InlineData(20, 9, 8, 60, 17, 1)]
    [InlineData(31, 10, 11, 16, 40, 2)]
    public void ConvolutionOfManyImagesHasTheGradientsOfALayerOverTheirWindows(
        int images, int height, int width, int channels, int outputs, int stride)
    {
        // several blocks of rows and columns, too many values for finite differences
        var spec = new ConvolutionSpec(height, width, 3, stride);
        var (ofConvolution, ofLayer) = (Gradients((tape, x, w) => tape.Convolution(x, w, null, spec)), Gradients(OverWindows));
        for (var i = 0; i < ofLayer.Length; i++)
            TestNumbers.AssertClose([.. ofLayer[i].Select(value => (double)value)], ofConvolution[i], 1e-4);

        float[][] Gradients(Func<Tape, Tensor, Tensor, Tensor> function)
        {
            using var engine = CreateEngine();
            var pixels = images * height * width;
            var x = engine.CreateParameter("x", [pixels, channels], TestNumbers.Normal(1, pixels * channels));
            var w = engine.CreateParameter("w", [9 * channels, outputs], TestNumbers.Normal(2, 9 * channels * outputs, 0.05f));
            using var tape = engine.BeginTape(training: true);
            tape.Backward(GradientCheck.Readout(tape, function(tape, x, w)), 0.01f);
            return [.. new[] { x, w }.Select(parameter =>
            {
                var gradient = new float[parameter.Value.Length];
                parameter.Value.CopyGradientTo(gradient);
                Assert.Contains(gradient, value => value != 0);
                return gradient;
            })];
        }

        Tensor OverWindows(Tape tape, Tensor x, Tensor w) => tape.Linear(
            tape.Concat([.. Enumerable.Range(0, 9).Select(place => tape.EmbeddingBag(x, Shifted(place / 3 - 1, place % 3 - 1)))]), w);

        // beyond the edge an empty bag, which is zeros
        RaggedIndices Shifted(int down, int across)
        {
            var (offsets, indices) = (new List<int> { 0 }, new List<int>());
            for (var image = 0; image < images; image++)
                for (var y = down; y < height + down; y += stride)
                    for (var column = across; column < width + across; column += stride)
                    {
                        if (y >= 0 && y < height && column >= 0 && column < width)
                            indices.Add((image * height + y) * width + column);
                        offsets.Add(indices.Count);
                    }

            return new RaggedIndices([.. offsets], [.. indices], [.. Enumerable.Repeat(1f, indices.Count)]);
        }
    }

    [SkippableFact]
    public void ConvolutionRejectsWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var spec = new ConvolutionSpec(2, 3);
        var x = tape.Constant(new float[24], 12, 2);
        var weight = tape.Constant(new float[72], 18, 4);
        Assert.Equal([12, 4], tape.Convolution(x, weight, null, spec).Shape.ToArray());
        var error = Assert.Throws<ArgumentException>(() => tape.Convolution(tape.Constant(new float[26], 13, 2), weight, null, spec));
        Assert.Contains("2 × 3", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => tape.Convolution(x, tape.Constant(new float[36], 9, 4), null, spec));
        Assert.Throws<ArgumentException>(() => tape.Convolution(x, weight, tape.Constant(new float[3], 3), spec));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConvolutionSpec(2, 3, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConvolutionSpec(0, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConvolutionSpec(2, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConvolutionSpec(2, 3, stride: 0));
    }

    [SkippableTheory]
    [InlineData(0, 3, 3, 2, 3, 1)]
    [InlineData(1, 1, 1, 1, 3, 2)]
    [InlineData(2, 5, 4, 3, 3, 1)]
    [InlineData(3, 6, 7, 34, 3, 2)]
    [InlineData(2, 6, 7, 2, 5, 3)]
    [InlineData(2, 3, 4, 5, 1, 2)]
    public void MaxPoolOfWindowsEqualsLoops(int images, int height, int width, int channels, int side, int stride)
    {
        using var engine = CreateEngine();
        var spec = new ConvolutionSpec(height, width, side, stride);
        // all below zero: nothing beyond the edge may win
        var x = new Input(
            [images * height * width, channels], [.. TestNumbers.Normal(1, images * height * width * channels).Select(value => value - 20f)]);
        var expected = new double[images * spec.ResultHeight * spec.ResultWidth * channels];
        for (var i = 0; i < expected.Length; i++)
        {
            var (window, channel) = (i / channels, i % channels);
            var (image, top, left) = (
                window / (spec.ResultHeight * spec.ResultWidth), window / spec.ResultWidth % spec.ResultHeight, window % spec.ResultWidth);
            expected[i] = double.NegativeInfinity;
            for (var k = 0; k < side * side; k++)
            {
                var (y, column) = (top * stride + k / side - side / 2, left * stride + k % side - side / 2);
                if (y >= 0 && y < height && column >= 0 && column < width)
                    expected[i] = Math.Max(expected[i], x.Values[((image * height + y) * width + column) * channels + channel]);
            }
        }

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.MaxPool(p[0], spec), x));
        if (images == 2)
        {
            // a pixel that wins in several windows, and what another operation has left there; none is so close to another that a step passes it
            float[] values = [.. Enumerable.Range(0, images * height * width * channels).Select(i => i * 0.1f)];
            new Random(1).Shuffle(values);
            Input[] inputs = [new([images * height * width, channels], values)];
            GradientCheck.Run(engine, (tape, p) => tape.MaxPool(p[0], spec), inputs);
            GradientCheck.Run(engine, (tape, p) => tape.Concat(tape.MaxPool(p[0], spec), tape.MaxPool(tape.Scale(p[0], 2f), spec)), inputs);
        }
    }

    [SkippableFact]
    public void MaxPoolOfWindowsGivesTheGradientToTheFirstOfEqualPixels()
    {
        using var engine = CreateEngine();
        var x = engine.CreateParameter("x", [4, 1], [1f, 3f, 3f, 3f]);
        using var tape = engine.BeginTape(training: true);
        tape.Backward(GradientCheck.Readout(tape, tape.MaxPool(x, new ConvolutionSpec(1, 4, side: 3, stride: 2))), 1f);
        var gradient = new float[4];
        x.Value.CopyGradientTo(gradient);
        Assert.Equal([false, true, false, false], gradient.Select(value => value != 0));
    }

    [SkippableFact]
    public void MaxPoolOfWindowsRejectsPartsOfImages()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var error = Assert.Throws<ArgumentException>(() => tape.MaxPool(tape.Constant(new float[26], 13, 2), new ConvolutionSpec(2, 3)));
        Assert.Contains("MaxPool", error.Message, StringComparison.Ordinal);
        Assert.Contains("2 × 3", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => tape.MaxPool(tape.Constant(new float[6], 6), new ConvolutionSpec(2, 3)));
    }

    [SkippableTheory]
    [InlineData(7, 5)]
    [InlineData(300, 16)]
    [InlineData(601, 35)]
    public void BatchNormIsOfTheColumnsOfABatch(int rows, int columns)
    {
        using var engine = CreateEngine();
        var x = TestNumbers.Normal(1, rows * columns, 3f).Select(v => v + 10f).ToArray();
        float[][] ofColumns = [.. Enumerable.Range(2, 4).Select(seed => TestNumbers.Normal(seed, columns))];
        var parameters = ofColumns.Select((values, i) => engine.CreateParameter($"{i}", [columns], i == 3 ? [.. values.Select(MathF.Abs)] : values)).ToArray();
        var (gain, bias, mean, variance) = (ofColumns[0], ofColumns[1], ofColumns[2], parameters[3].Value.ToArray());
        var moments = Enumerable.Range(0, columns).Select(c =>
        {
            var column = Enumerable.Range(0, rows).Select(r => (double)x[r * columns + c]).ToArray();
            return (Mean: column.Average(), Variance: column.Average(v => (v - column.Average()) * (v - column.Average())));
        }).ToArray();

        TestNumbers.AssertClose(Expected(c => (mean[c], variance[c])), Run(training: false));
        Assert.Equal(mean, parameters[2].Value.ToArray());
        TestNumbers.AssertClose(Expected(c => moments[c]), Run(training: true));
        TestNumbers.AssertClose([.. moments.Select((m, c) => 0.8 * mean[c] + 0.2 * m.Mean)], parameters[2].Value.ToArray());
        TestNumbers.AssertClose(
            [.. moments.Select((m, c) => 0.8 * variance[c] + 0.2 * m.Variance * rows / (rows - 1))], parameters[3].Value.ToArray());

        float[] Run(bool training)
        {
            using var tape = engine.BeginTape(training);
            var y = tape.BatchNorm(
                tape.Constant(x, rows, columns), parameters[0], parameters[1], parameters[2], parameters[3], momentum: 0.2f, epsilon: 1e-3f);
            return y.ToArray();
        }

        double[] Expected(Func<int, (double Mean, double Variance)> of) => [.. x.Select((value, i) =>
        {
            var (m, v) = of(i % columns);
            return gain[i % columns] * (value - m) / Math.Sqrt(v + 1e-3) + bias[i % columns];
        })];
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void BatchNormHasTheGradientOfItsStatistics(bool keepsStatistics)
    {
        using var engine = CreateEngine();
        var mean = engine.CreateParameter("mean", [5], TestNumbers.Normal(4, 5));
        var variance = engine.CreateParameter("variance", [5], [0.5f, 1f, 2f, 1.5f, 0.3f]);
        var before = (mean.Value.ToArray(), variance.Value.ToArray());
        GradientCheck.Run(
            engine,
            (tape, p) =>
            {
                tape.KeepsStatistics = keepsStatistics;
                return tape.BatchNorm(p[0], p[1], p[2], mean, variance, epsilon: 0.1f);
            },
            [Input.Random(1, 7, 5), Input.Random(2, 5), Input.Random(3, 5)]);
        Assert.Equal(keepsStatistics, before.Item1.AsSpan().SequenceEqual(mean.Value.ToArray()));
        Assert.Equal(keepsStatistics, before.Item2.AsSpan().SequenceEqual(variance.Value.ToArray()));
    }

    [SkippableFact]
    public void BatchNormOfOneRowTakesWhatItWasGiven()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: true);
        float[] Value(float value) => [value, value];
        var mean = engine.CreateParameter("mean", [2], Value(1f));
        var y = tape.BatchNorm(
            tape.Constant([3f, 5f], 1, 2),
            tape.Constant(Value(1f), 2),
            tape.Constant(Value(0f), 2),
            mean,
            tape.Constant(Value(4f), 2),
            epsilon: 0f);
        TestNumbers.AssertClose([1, 2], y.ToArray());
        Assert.Equal(Value(1f), mean.Value.ToArray());
        Assert.Throws<ArgumentException>(() => tape.BatchNorm(y, mean, mean, mean, tape.Constant([1f], 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.BatchNorm(y, mean, mean, mean, mean, momentum: 1.5f));
    }
}
