using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// Published causal models compute what the libraries that they come from compute, on any engine: states, scores of the next token, loss and
/// gradients where positions count from the beginning of a row.
/// </summary>
[Trait("Category", "Goldens")]
public abstract class GoldenCausalTests
{
    private const string NoFolder = "";

    public static TheoryData<string> Folders { get; } =
        new(Goldens.Folders("models").Where(IsCausal).Select(folder => Path.GetFileName(folder)).DefaultIfEmpty(NoFolder));

    protected abstract Engine CreateEngine();

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void AgreesWithTheOriginal(string name)
    {
        Skip.If(name == NoFolder, "There are no goldens of causal models: set MLNETMOE_GOLDENS to their folder.");
        var path = Path.Combine(Goldens.Root!, "models", name);
        var folder = PublishedFolder.Open(path);
        using var golden = GoldenModel.Open(path);
        using var weights = TensorFiles.Open(path);
        GoldenCase[] cases = [.. golden.Cases.Where(IsPlainPass)];
        Assert.NotEmpty(cases);
        using var engine = CreateEngine();
        Assert.All(cases, test => Compare(folder, test, weights, engine));
    }

    private static bool IsCausal(string folder) => PublishedArchitectures.KnowsCausal(
        PublishedFolder.ReadConfig(Path.Combine(folder, "config.json")).Text("model_type", ""));

    private static bool IsPlainPass(GoldenCase test) => test["position_ids"] is null && test.Outputs.All(output =>
        output is "last_hidden_state" or "logits" || output.StartsWith("hidden_states.", StringComparison.Ordinal)
        || output.StartsWith("grad.", StringComparison.Ordinal)) && !test.Name.StartsWith("gen_", StringComparison.Ordinal);

    private static void Compare(PublishedFolder folder, GoldenCase test, TensorSource weights, Engine engine)
    {
        var config = folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };
        ParameterStore? store = null;
        var (embedding, encoder, next) = folder.Load(engine, 0, made => (
            config.CreateTokenEmbedding(store = made),
            config.CreateEncoder(made),
            made.Normal(CausalConfig.NextTokenWeight, ParameterRole.Weight, 0.02f, config.Width, config.VocabularySize)));
        using var tape = engine.BeginTape(training: test.HasGradients);
        var batch = test.ToBatch();
        var context = new ForwardContext(tape, batch.Layout);
        var encoded = encoder.Forward(context, embedding.Forward(context, batch));
        var logits = tape.Linear(encoded.Last, next);
        var mask = test.Mask;

        if (test["labels"] is var (labels, _))
        {
            // a position is to tell the next one's label
            int[] rows = [.. Enumerable.Range(0, labels.Length).Where(i => (i + 1) % test.Length != 0 && labels[i + 1] >= 0)];
            var loss = tape.CrossEntropy(tape.Embedding(logits, rows), [.. rows.Select(i => (int)labels[i + 1])], []);
            if (test.Scalar("cross_entropy") is { } expected)
                GoldenNumbers.Close(expected, loss.ToArray()[0], 1, $"{test.Name} cross-entropy");
            if (test.HasGradients)
                tape.Backward(loss);
        }

        var gradients = test.HasGradients
            ? PublishedGradients.Of(store!.All.Select(p => p.Parameter), folder.Encoder.CreateRules(), weights)
            : [];
        foreach (var output in test.Outputs)
        {
            var expected = test[output]!.Value.Values;
            if (output.StartsWith("grad.", StringComparison.Ordinal))
            {
                GoldenNumbers.Close(expected, gradients[output["grad.".Length..]], $"{test.Name} {output}");
                continue;
            }

            var actual = output == "logits" ? logits
                : output == "last_hidden_state" ? encoded.Last
                : encoded.After(int.Parse(output["hidden_states.".Length..], CultureInfo.InvariantCulture));
            var perToken = expected.Length / mask.Length;
            GoldenNumbers.Close(expected, actual.ToArray(), $"{test.Name} {output}", i => mask[i / perToken] > 0);
        }
    }
}
