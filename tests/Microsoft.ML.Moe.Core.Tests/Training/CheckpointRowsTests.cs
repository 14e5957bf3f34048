using System.Reflection;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A checkpoint belongs to all that training reads: none of it can change unseen.</summary>
public sealed class CheckpointRowsTests : IDisposable
{
    private const int Rows = 48;
    private readonly string _folder = Directory.CreateTempSubdirectory("moe").FullName;

    private string File => Path.Combine(_folder, "training.checkpoint");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true, 12)]
    [InlineData(false, 12)]
    [InlineData(true, null)]
    [InlineData(false, null)]
    public void NothingOfARowCanChange(bool linearBranch, int? maximumTokens)
    {
        var config = ToyTable.Config(3) with
        {
            Input = new TextInputConfig { HashBits = 8, MaximumTokens = maximumTokens },
            LinearBranch = linearBranch,
            Training = ToyTable.Config(3).Training with { CheckpointFile = File },
        };
        Interrupt(config);
        var same = SameBucket(config.Input);

        Refused("a word beyond the cut", (training, _) => training[7] = training[7] with { Text = training[7].Text.Replace("last", "least", StringComparison.Ordinal) });
        Refused("a word of the same bucket", (training, _) => training[7] = training[7] with { Text = training[7].Text.Replace("music", same, StringComparison.Ordinal) });
        Refused("a label", (training, _) => training[7] = training[7] with { Label = (training[7].Label + 1) % 3 });
        Refused("a weight", (training, _) => training[7] = training[7] with { Weight = 1.5f });
        Refused("the order", (training, _) => (training[1], training[2]) = (training[2], training[1]));
        Refused("a row that is gone", (training, _) => training.RemoveAt(7));
        Refused("a validation text", (_, validation) => validation[2] = validation[2] with { Text = validation[2].Text + "s" });
        Refused("a validation label", (_, validation) => validation[2] = validation[2] with { Label = (validation[2].Label + 1) % 3 });
        Refused("a validation weight", (_, validation) => validation[2] = validation[2] with { Weight = 2f });
        Refused("a validation row that is learned", (training, validation) =>
        {
            training.Add(validation[^1]);
            validation.RemoveAt(validation.Count - 1);
        });
        Train(config);

        void Refused(string what, Action<List<Row>, List<Row>> change)
        {
            var error = Record.Exception(() => Train(config, change));
            Assert.True(error is InvalidDataException, $"{what}: {error?.GetType().Name ?? "was taken up"}");
        }
    }

    [Fact]
    public void EveryOptionCounts()
    {
        AssertEachCounts(new TrainingConfig(), nameof(TrainingConfig.CheckpointFile));
        AssertEachCounts(new EncoderConfig());
        AssertEachCounts(new GeneratorTrainingConfig());
        AssertEachCounts(new TextNoise());
        AssertEachCounts(new AugmentationConfig());
        AssertEachCounts(Router.Unified());
        AssertEachCounts(Router.Soft());
        AssertEachCounts(new GlobalWorkspaceSettings(0.5));
    }

    [Fact]
    public void WhereOneValueEndsAndTheNextBeginsCounts()
    {
        Assert.NotEqual(Digest(("ab", null)), Digest(("a", "b")));
        Assert.NotEqual(Digest(("ab", null), ("c", null)), Digest(("a", null), ("bc", null)));
        Assert.NotEqual(Digest(("a", "")), Digest(("a", null)));
        Assert.NotEqual(EncodedText.HashOf("a", "b"), EncodedText.HashOf("b", "a"));
        Assert.Equal(Digest(("a", "b")), Digest(("a", "b")));

        static string Digest(params (string First, string? Second)[] texts)
        {
            using var digest = new TrainingDigest();
            return digest.AddTexts(texts.Select(text => TextInput.Create(ToyTable.Input).Encode(text.First, text.Second))).ToString();
        }
    }

    /// <summary>Changes each property that can be set, one at a time.</summary>
    private static void AssertEachCounts<T>(T options, params string[] except)
        where T : notnull
    {
        var before = DigestOf(options);
        var changed = 0;
        foreach (var property in options.GetType().GetProperties().Where(p => p.SetMethod is not null && !except.Contains(p.Name)))
        {
            var copy = options.GetType().GetMethod("<Clone>$")?.Invoke(options, null) ?? throw new InvalidOperationException("Not a record.");
            var now = property.GetValue(options);
            if (!Others(property.PropertyType, now).Any(value => !Equals(value, now) && CanSet(property, copy, value)))
                continue;
            changed++;
            Assert.True(DigestOf((T)copy) != before, $"{typeof(T).Name}.{property.Name} does not count.");
        }

        Assert.NotEqual(0, changed);
    }

    private static string DigestOf<T>(T options)
    {
        using var digest = new TrainingDigest();
        return digest.AddJson((object)options!).ToString();
    }

    private static bool CanSet(PropertyInfo property, object target, object? value)
    {
        try
        {
            property.SetValue(target, value);
            return true;
        }
        catch (TargetInvocationException)
        {
            return false; // out of range
        }
    }

    private static IEnumerable<object?> Others(Type type, object? value)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsEnum)
            return Enum.GetValues(type).Cast<object>().Where(other => !other.Equals(value));
        if (type == typeof(bool))
            return [!(bool)value!];
        if (type == typeof(int))
            return [(value as int? ?? 0) + 8, 1, 2];
        if (type == typeof(float))
            return [(value as float? ?? 0f) + 0.125f, 0.5f];
        if (type == typeof(double))
            return [(value as double? ?? 0) + 0.125, 0.5];
        return type == typeof(Router) ? [Router.Unified(1.5, alpha: 0.4)]
            : type == typeof(GlobalWorkspaceSettings) ? [new GlobalWorkspaceSettings(0.25)]
            : type == typeof(TrainingConfig) ? [new TrainingConfig { Seed = 99 }]
            : type == typeof(LowRankAdaptation) ? [new LowRankAdaptation()]
            : [];
    }

    private static string SameBucket(TextInputConfig config)
    {
        var input = TextInput.Create(config);
        var bucket = RowOf("music");
        return Enumerable.Range(0, 100_000).Select(i => $"word{i}").First(word => RowOf(word) == bucket);

        int RowOf(string word) => input.Encode(word).Tokens[1].Rows[0];
    }

    private static (List<Row> Training, List<Row> Validation) Table()
    {
        var filler = string.Join(' ', Enumerable.Repeat("and so on", 6));
        var rows = ToyTable.Rows(Rows, seed: 1).Select(row => new Row($"music {row.Text} {filler} last", row.Label)).ToList();
        return (rows[..36], rows[36..]);
    }

    private static void Interrupt(TextClassifierConfig config) =>
        Assert.Throws<OperationCanceledException>(() => Train(config, observer: new Interrupter()));

    private static void Train(TextClassifierConfig config, Action<List<Row>, List<Row>>? change = null, ITrainingObserver? observer = null)
    {
        var (training, validation) = Table();
        change?.Invoke(training, validation);
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(config, 3, engine);
        trainer.Train(Encoded(training), Encoded(validation), observer);

        List<Example<EncodedText>> Encoded(List<Row> rows) =>
            [.. rows.Select(row => new Example<EncodedText>(trainer.Input.Encode(row.Text), row.Label, row.Weight))];
    }

    private sealed record Row(string Text, int Label, float Weight = 1f);

    private sealed class Interrupter : ITrainingObserver
    {
        public void OnEpoch(EpochReport report)
        {
        }

        public void OnStep(int epoch, int step, int steps, double loss)
        {
            if (epoch == 2)
                throw new OperationCanceledException();
        }
    }
}
