using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.OnnxRuntime;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Small models of tables, images and texts that several classes export, and rows for them.</summary>
internal static class SmallModels
{
    /// <summary>Members of <see cref="Table"/>.</summary>
    public const int Members = 5;

    /// <summary>Slots of <see cref="Table"/>.</summary>
    public const int Slots = 7;

    /// <summary>A model of tables with every kind of slot.</summary>
    public static Model<FeatureRow> Table(Engine engine, HeadConfig head, int embeddingWidth = 3, bool hasExperts = true, int seed = 7)
    {
        var config = new FeatureInputConfig
        {
            Slots = Slots,
            Members = Members,
            EmbeddingWidth = embeddingWidth,
            Numbers =
            [
                new NumberSlot { Slot = 0, Mean = 0.2, Deviation = 1.5, Missing = 0f, Least = -3f, Most = 4f, Edges = [-1f, 0f, 0.5f, 2f] },
                new NumberSlot { Slot = 2, Mean = 1, Deviation = 1, Missing = 1f, Least = 0f, Most = 2f, Edges = [0f, 2f] },
                new NumberSlot { Slot = 4, Mean = -1, Deviation = 0.5, Missing = -1f, Least = -4f, Most = 2f },
            ],
            Binaries = [new BinarySlot { Slot = 1, Low = 0f, High = 1f, Missing = 1f }],
            Categories = [new CategorySlot { Slot = 6, Values = [-1f, 0f, 3f] }],
            MissingSlots = [0, 2],
            TableSlots = [new TableSlot { Slot = 3, Scale = 0.25f }, new TableSlot { Slot = 5, Scale = 2f }],
        };
        var encoder = FeatureEncoderConfig.From(new EncoderConfig
        {
            Width = 16,
            Heads = 1,
            Layers = 2,
            MoeEvery = hasExperts ? 1 : 0,
            Experts = 4,
            ExpertWidth = 16,
            DenseWidth = 16,
            Router = Router.TokenChoice(2),
        });
        var store = new ParameterStore(engine, seed) { HasDenseTables = true };
        var model = new Model<FeatureRow>(
            engine, new ModelConfig { Input = config, Encoder = encoder, Head = head }, new FeatureInput(config), store);
        // what begins at zero would hide where it goes
        var random = new Random(seed);
        foreach (var (parameter, _) in store.All)
            if (parameter.Value.ToArray().All(value => value == 0f))
                parameter.Value.CopyFrom([.. Enumerable.Range(0, parameter.Value.Length).Select(_ => random.NextSingle() - 0.5f)]);
        return model;
    }

    /// <summary>Rows for <see cref="Table"/>.</summary>
    public static List<FeatureRow> FeatureRows(int count)
    {
        var random = new Random(3);
        return
        [
            .. Enumerable.Range(0, count).Select(_ => FeatureRow.Dense(
            [
                random.Next(20) == 0 ? float.NaN : 6 * random.NextSingle() - 3,
                random.Next(2),
                random.Next(9) == 0 ? float.NaN : 3 * random.NextSingle(),
                random.Next(5),
                random.NextSingle() - 2,
                random.Next(3) == 0 ? 0f : random.NextSingle() - 0.5f,
                random.Next(5) switch { 0 => float.NaN, 1 => -1f, 2 => 3f, 3 => 7f, _ => 0f },
            ])),
        ];
    }

    /// <summary>Rows as the graph reads them.</summary>
    public static NamedOnnxValue Input(List<FeatureRow> rows) => OnnxFile.Input(
        "Features", rows.SelectMany(row => Enumerable.Range(0, Slots).Select(slot => row[slot])).ToArray(), rows.Count, Slots);

    /// <summary>A model of images, whose patches overlap and reach beyond the image.</summary>
    public static Model<ImagePixels> Patches(Engine engine, Router router)
    {
        var input = new ImageInputConfig
        {
            ImageWidth = 7,
            ImageHeight = 5,
            Channels = 2,
            PatchSize = 3,
            PatchMargin = 1,
            Convolutions = 1,
            Means = [100f, 120f],
            Deviations = [60f, 70f],
        };
        var encoder = new EncoderConfig
        {
            Width = 16,
            Layers = 2,
            Heads = 2,
            Experts = 4,
            ExpertWidth = 16,
            Router = router,
        };
        return Images(
            engine,
            new ModelConfig { Input = input, Encoder = encoder, Head = new ClassesHeadConfig { Classes = 3 } },
            new PatchInput(input));
    }

    /// <summary>A model of images.</summary>
    public static Model<ImagePixels> Images(Engine engine, ModelConfig config, PatchInput input)
    {
        var store = new ParameterStore(engine, seed: 3);
        var model = new Model<ImagePixels>(engine, config, input, store);
        var random = new Random(5);
        // classes that have not learned have zeros
        foreach (var (parameter, _) in store.All.Where(p => p.Parameter.Name is "head.weight"))
            parameter.Value.CopyFrom([.. Enumerable.Range(0, parameter.Value.Length).Select(_ => random.NextSingle() - 0.5f)]);
        return model;
    }

    /// <summary>Images for a model.</summary>
    public static List<ImagePixels> ImageRows(Model<ImagePixels> model, int count)
    {
        var (size, random) = (((PatchInput)model.Input).Images, new Random(6));
        return
        [
            .. Enumerable.Range(0, count).Select(_ =>
            {
                var pixels = new byte[size.Length];
                random.NextBytes(pixels);
                return size.EncodeAsItIs(pixels);
            }),
        ];
    }

    /// <summary>Images as the graph reads them.</summary>
    public static NamedOnnxValue Input(Model<ImagePixels> model, List<ImagePixels> rows)
    {
        var size = ((PatchInput)model.Input).Images;
        var values = rows.SelectMany(row => row.Raw.ToArray().Select(value => (float)value)).ToArray();
        return OnnxFile.Input("Pixels", values, rows.Count, size.Height, size.Width, size.Channels);
    }

    /// <summary>An embedder of a published architecture, of letters.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="folder">Receives its files.</param>
    public static TextEmbedder Embedder(Engine engine, string folder)
    {
        TinyPublished.Write(folder, TinyPublished.Bert);
        TinyPublished.WriteTokenizer(folder);
        return TextEmbedder.Load(engine, folder);
    }
}

/// <summary>One subword a letter.</summary>
internal sealed class Letters : ISubwordTokenizer
{
    public int VocabularySize => 27;

    public IReadOnlyList<int> Encode(string text) =>
        [.. text.Where(letter => letter is >= 'a' and <= 'z').Select(letter => letter - 'a')];
}
