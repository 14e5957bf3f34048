using System.Numerics.Tensors;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// P6: the mixture of P3 in llama.cpp, decoding and reading a prompt: bfloat16 on both sides, eight bits on both, and for decoding llama.cpp's four bits
/// beside our eight, the fewest that are here.
/// </summary>
internal sealed class LlamaCppBenchmark : IBenchmark
{
    private const int PromptLength = 512;

    private static readonly (WeightPrecision Ours, GgufType Theirs, bool ReadsPrompt, double Tolerance)[] Pairs =
    [
        (WeightPrecision.AsStored, GgufType.BFloat16, true, 0.05),
        (WeightPrecision.Int8, GgufType.Q8, true, 0.1),
        (WeightPrecision.Int8, GgufType.Q4, false, 0.5),
    ];

    public string Id => "P6";

    public string? Reference => LlamaCpp.Version;

    public string? MissingReference => LlamaCpp.Missing;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        var checkpoint = PublishedMixtures.Granite;
        foreach (var (precision, type, readsPrompt, tolerance) in Pairs)
        {
            var path = Path.Combine(checkpoint.Folder, $"{type}.gguf");
            if (!File.Exists(path))
                GraniteGguf.Write(path, checkpoint, type);
            using var engine = new ManagedEngine(threads);
            var model = checkpoint.Load(engine, precision);
            var causal = new CausalModel(model);
            using var reference = new LlamaCpp(path, threads, DecodingSteps.PromptLength + DecodingSteps.Capacity);
            var prompt = PublishedMixtures.Ids(PromptLength, causal.VocabularySize);
            var scores = new float[causal.VocabularySize];
            Read();
            Compare(scores, reference.Begin(prompt), tolerance);

            var work = new Work(2 * PublishedMixtures.ActiveWeights(model), PublishedMixtures.ActiveBytes(model));
            var (weights, names) = ($"{PublishedMixtures.ActiveWeights(model) / 1e9:F2} B active weights", Names(precision, type));
            using (var steps = new DecodingSteps(causal))
            {
                var other = new OtherSteps(reference);
                yield return Figure($"decoding with {weights}, {names}", runner.Compare(steps.Next, other.Next), work);
            }

            if (readsPrompt)
            {
                var result = runner.Compare(Read, () => reference.Begin(prompt));
                yield return Figure(
                    $"prompt of {PromptLength} tokens, {weights}, {names}", result, new Work(PromptLength * work.Flops, checkpoint.WeightBytes));
            }

            void Read()
            {
                using var decoding = causal.Begin([prompt], copies: 1, capacity: 1);
                decoding.Next([], scores);
            }
        }

        Figure Figure(string title, PairedResult result, Work work) => new(Id, $"{title} / {LlamaCpp.Version}", threads, result.Ratio, result.Spread, null)
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = work,
        };
    }

    private static string Names(WeightPrecision ours, GgufType theirs) => (ours, theirs) switch
    {
        (WeightPrecision.Int8, GgufType.Q4) => "int8 / Q4_0",
        (WeightPrecision.Int8, _) => "int8 / Q8_0",
        _ => "bfloat16",
    };

    // Theirs rounds activations as well as weights, so that scores are not the same: their distance, as a share of their length.
    private static void Compare(ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs, double tolerance)
    {
        var difference = TensorPrimitives.Distance(ours, theirs) / TensorPrimitives.Norm(ours);
        if (!(difference <= tolerance))
            throw new InvalidOperationException($"The models disagree: scores lie {difference:G3} of their length apart.");
    }

    /// <summary>The same steps on the other side.</summary>
    private sealed class OtherSteps(LlamaCpp model)
    {
        private int _next;
        private int _room;

        public void Next()
        {
            if (_room == 0)
            {
                _next = Best(model.Begin(PublishedMixtures.Ids(DecodingSteps.PromptLength, model.VocabularySize)));
                _room = DecodingSteps.Capacity;
            }

            _next = Best(model.Next([_next]));
            _room--;
        }

        private static int Best(ReadOnlySpan<float> scores) => TensorPrimitives.IndexOfMax(scores);
    }
}
