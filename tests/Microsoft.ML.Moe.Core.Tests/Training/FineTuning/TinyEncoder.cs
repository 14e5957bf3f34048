using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A published encoder of random weights, and tables of letters that it can learn.</summary>
internal sealed class TinyEncoder : IDisposable
{
    /// <summary>Width of token vectors.</summary>
    public const int Width = 16;

    /// <summary>Blocks.</summary>
    public const int Layers = 3;

    private readonly TemporaryFolder _folder = new();

    public TinyEncoder()
    {
        TinyPublished.Write(_folder.Path, TinyPublished.Bert, Settle);
        TinyPublished.WriteTokenizer(_folder.Path);
    }

    /// <summary>Path of the folder.</summary>
    public string Path => _folder.Path;

    public void Dispose() => _folder.Dispose();

    /// <summary>The encoder to train with.</summary>
    public PublishedEncoderSource Open(Upcycling? upcycling = null) => PublishedEncoderSource.Open(PublishedEncoder.FromFolder(Path), upcycling);

    /// <summary>A model that pools states.</summary>
    public Model<EncodedText> Pooled(
        Engine engine, TextWindows windows = TextWindows.Whole, int layers = 2, int classes = 3, float dropout = 0f, Upcycling? upcycling = null)
    {
        var source = Open(upcycling);
        var head = new PooledClassesHeadConfig
        {
            Classes = classes,
            Layers = layers,
            Windows = windows == TextWindows.Whole ? 1 : 2,
            Dropout = dropout,
        };
        return source.CreateModel(engine, source.CreateInput(12, LinearInput.None, windows), head, seed: 1);
    }

    /// <summary>Texts of letters: of each class one half of the letters or so, which it shares with others in part.</summary>
    /// <param name="count">Number of texts, of the classes in turn.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="seed">Seeds them.</param>
    /// <param name="longest">Letters of a text at most.</param>
    public static List<(string Text, int Label)> Texts(int count, int classes = 3, int seed = 1, int longest = 10)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => (TextOf(random, i % classes, classes, longest), i % classes))];
    }

    /// <summary>Pairs of texts: of the second class those of the same letters.</summary>
    public static List<(string First, string Second, int Label)> Pairs(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var first = TextOf(random, random.Next(4), 4, 6);
            var second = first.ToCharArray();
            random.Shuffle(second);
            return (first, i % 2 == 1 ? new string(second) : TextOf(random, random.Next(4), 4, 6), i % 2);
        })];
    }

    /// <summary>Norms and biases as they are before training, so that what differs between texts is not lost from block to block.</summary>
    private static void Settle(Dictionary<string, NamedValues> tensors)
    {
        foreach (var (name, tensor) in tensors)
            if (name.EndsWith("LayerNorm.weight", StringComparison.Ordinal))
                tensor.Values.AsSpan().Fill(1f);
            else if (name.EndsWith(".bias", StringComparison.Ordinal))
                tensor.Values.AsSpan().Clear();
    }

    private static string TextOf(Random random, int label, int classes, int longest) => string.Concat(
        Enumerable.Range(0, random.Next(4, longest + 1)).Select(_ => (char)('a' + (random.Next(4) > 0
            ? label * 26 / classes + random.Next(Math.Max(1, 26 / classes))
            : random.Next(26)))));
}
