using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Router logits of a batch of chance size, with settings of chance for a policy.</summary>
internal sealed record RandomBatch(float[] LogitsTE, int Experts, SequenceLayout Layout, double Budget, double Alpha)
{
    /// <summary>Sequences from length 0, from 2 experts; every third batch has ties, every fifth logits of ±80, every second padding.</summary>
    public static RandomBatch Create(int seed)
    {
        var random = new Random(seed);
        var offsets = new int[random.Next(2, 6)];
        for (var i = 1; i < offsets.Length; i++)
            offsets[i] = offsets[i - 1] + random.Next(i == 1 ? 1 : 0, 9);
        var experts = random.Next(2, 9);
        var scale = seed % 5 == 0 ? 160 : 6;
        float[] logits = [.. Enumerable.Range(0, offsets[^1] * experts).Select(_ => (random.NextSingle() - 0.5f) * scale)];
        if (seed % 3 == 0)
            logits = Array.ConvertAll(logits, MathF.Round);
        bool[]? mask = seed % 2 == 0 ? null : [.. Enumerable.Range(0, offsets[^1]).Select(_ => random.NextSingle() < 0.7f)];
        double[] budgets = [0.3, 0.5, 1, 1.5, 2];
        return new RandomBatch(logits, experts, new SequenceLayout(offsets, mask), budgets[random.Next(budgets.Length)], random.Next(11) / 10.0);
    }
}
