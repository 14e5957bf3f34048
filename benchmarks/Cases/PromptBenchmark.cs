using System.Text.Json;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// P4: the scores after a prompt of 512 tokens, with the mixture of P3, against PyTorch on the same weights, in bfloat16 or widened to single precision
/// before, whichever is the faster on this machine; ours reads bfloat16 and multiplies in single precision.
/// </summary>
internal sealed class PromptBenchmark : IBenchmark
{
    private const int Length = 512;

    private static readonly string[] Types = ["bfloat16", "float32"];

    public string Id => "P4";

    public string? Reference => PyTorch.Instance?.Version;

    public string? MissingReference => PyTorch.Instance is null ? "PyTorch (python3-torch) is not installed." : null;

    public IEnumerable<Figure> Measure(PairedRunner runner, int threads)
    {
        using var engine = new ManagedEngine(threads);
        var checkpoint = PublishedMixtures.Granite;
        var model = checkpoint.Load(engine, WeightPrecision.AsStored);
        var causal = new CausalModel(model);
        var ids = PublishedMixtures.Ids(Length, causal.VocabularySize);
        var scores = new float[causal.VocabularySize];
        Read();
        var file = Path.Combine(checkpoint.Folder, $"Prompt.{threads}.json");
        File.WriteAllText(file, JsonSerializer.Serialize(new { folder = checkpoint.Folder, ids, scores }));
        var type = Types.MinBy(Seconds)!;
        var result = runner.Compare(PairedRunner.Timed(Read), repeats => PyTorch.Instance!.Run($"causal/{type}/{file}", threads, repeats));
        yield return new Figure(
            Id,
            $"prompt of {Length} tokens, {PublishedMixtures.ActiveWeights(model) / 1e9:F2} B active weights in bfloat16 / {PyTorch.Instance!.Version}, {type}",
            threads,
            result.Ratio,
            result.Spread,
            new Bound(1.0))
        {
            Seconds = result.First,
            ReferenceSeconds = result.Second,
            Work = new Work(2 * Length * PublishedMixtures.ActiveWeights(model), checkpoint.WeightBytes),
        };

        // The first run also makes the model. Without instructions for it, bfloat16 may be refused.
        double Seconds(string type)
        {
            try
            {
                return Enumerable.Range(0, 2).Select(_ => PyTorch.Instance!.Run($"causal/{type}/{file}", threads, 1)).Last();
            }
            catch (InvalidOperationException) when (type == "bfloat16")
            {
                return double.PositiveInfinity;
            }
        }

        void Read()
        {
            using var decoding = causal.Begin([ids], copies: 1, capacity: 1);
            decoding.Next([], scores);
        }
    }
}
