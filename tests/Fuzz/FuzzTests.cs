using System.Globalization;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>
/// The short form: every reader gets some thousand inputs that are wrong, the same ones each time. What it finds can be repeated with
/// <c>dotnet run --project tests/Fuzz -- TARGET --seed 1 --first NUMBER --inputs 1</c>; for hours see docs/reliability.md.
/// </summary>
public sealed class FuzzTests
{
    private const int Seed = 1;

    [Theory]
    [InlineData("safetensors", 20_000)]
    [InlineData("shards", 2_000)]
    [InlineData("config", 20_000)]
    [InlineData("tokenizer", 5_000)]
    [InlineData("older-tokenizer", 5_000)]
    [InlineData("vocabulary", 5_000)]
    [InlineData("sentencepiece", 5_000)]
    [InlineData("onnx", 5_000)]
    [InlineData("chat-template", 5_000)]
    [InlineData("generation", 10_000)]
    [InlineData("image", 3_000)]
    [InlineData("checkpoint", 500)]
    [InlineData("published", 500)]
    [InlineData("sentence-folder", 500)]
    [InlineData("weights", 1_000)]
    [InlineData("model", 300)]
    [InlineData("model-zip", 300)]
    [InlineData("rows", 3_000)]
    public void AReaderRefusesWhatIsWrongAsItsDocumentationSays(string name, int inputs)
    {
        using var target = Targets.Create(name);
        var run = new FuzzRun(target, Seed);
        run.ReadSeeds();
        run.Run(first: 0, () => run.Inputs == inputs);

        Assert.True(
            run.Findings.Count == 0,
            string.Join("\n", run.Findings.Select(f => string.Create(CultureInfo.InvariantCulture, $"input {f.Number}: {f.What}"))));
        Assert.Equal(inputs, run.Inputs);
        Assert.InRange(run.Accepted, 1, inputs - 1);
    }

    [Fact]
    public void EveryReaderIsTried() => Assert.Equal(
        Targets.Names.Order(),
        typeof(FuzzTests).GetMethod(nameof(AReaderRefusesWhatIsWrongAsItsDocumentationSays))!
            .GetCustomAttributes(typeof(InlineDataAttribute), false)
            .Cast<InlineDataAttribute>().Select(a => (string)a.GetData(null!).Single()[0]).Order());

    [Fact]
    public void WhatIsWrongIsFound()
    {
        using var target = new Wrong();
        var run = new FuzzRun(target, Seed);
        run.ReadSeeds();
        run.Run(first: 0, () => run.Inputs == 2_000);

        Assert.Contains(run.Findings, f => f.What.Contains(nameof(IndexOutOfRangeException), StringComparison.Ordinal));
        Assert.Contains(run.Findings, f => f.What.Contains("bytes allocated", StringComparison.Ordinal));
        Assert.All(run.Findings, f => Assert.NotNull(new FuzzRun(target, Seed).Read(0, f.Input)));
    }

    /// <summary>Believes a length, and reads where a file says.</summary>
    private sealed class Wrong : FuzzTarget
    {
        public override string Name => "wrong";

        public override void Read(FuzzInput input)
        {
            var content = input.Single;
            if (content.Length < 8)
                throw new InvalidDataException("too short");
            _ = new byte[BitConverter.ToUInt16(content) << 10];
            _ = content[content[4]];
        }

        protected override IEnumerable<FuzzInput> CreateSeeds()
        {
            yield return new FuzzInput(new FuzzFile("a.bin", new byte[16]));
        }
    }
}
