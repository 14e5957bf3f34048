using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Docs.Tests;

/// <summary>A block without a setup: it has the files of <see cref="Samples"/>, and has to name what it uses.</summary>
public class Setup;

/// <summary>
/// A block of a page whose readers have an <see cref="MLContext"/>. The names of properties are those of a program's variables.
/// </summary>
public class Context : Setup
{
    /// <summary>Seeded, so that a block does the same each time.</summary>
    protected MLContext ml { get; } = new(seed: 1);
}

/// <summary>A block that has a table of texts.</summary>
public class Table : Context
{
    /// <summary>Columns Label and Text.</summary>
    protected IDataView data => Samples.Texts(ml);

    /// <summary>Rows to train on, and rows to test with.</summary>
    protected DataOperationsCatalog.TrainTestData split => ml.Data.TrainTestSplit(data, testFraction: 0.2);
}

/// <summary>A block of a program that <c>mpirun</c> has started.</summary>
public class Ranks : Table
{
    /// <summary>The only one.</summary>
    protected ICommunicator ranks { get; } = new One();

    private sealed class One : ICommunicator
    {
        public int Rank => 0;

        public int Size => 1;

        public void Exchange(int partner, ReadOnlySpan<byte> send, Span<byte> receive) => throw new InvalidOperationException("There is no other rank.");
    }
}

/// <summary>A block that has a trained classifier of texts.</summary>
public class Trained : Table
{
    /// <summary>Label to key, classifier, key to label.</summary>
    protected TransformerChain<ITransformer> model => field ??= (TransformerChain<ITransformer>)ml.Model.Load(Samples.Model, out _);

    /// <summary>The classifier alone.</summary>
    protected MoeTextClassificationTransformer trained => model.OfType<MoeTextClassificationTransformer>().Single();
}

/// <summary>A block that has a table of numbers and a category.</summary>
public class Features : Context
{
    /// <summary>Columns Colour, Size, Weight, IsLarge and Price.</summary>
    protected IDataView data => ml.Data.LoadFromEnumerable(Enumerable.Range(0, 120).Select(i => new Thing
    {
        Colour = i % 3 == 0 ? "red" : "blue",
        Size = i % 10,
        Weight = i % 7,
        IsLarge = i % 10 > 5,
        Price = i % 10 + (i % 3 == 0 ? 3 : 0),
    }));

    /// <summary>Rows to train on, and rows to test with.</summary>
    protected DataOperationsCatalog.TrainTestData split => ml.Data.TrainTestSplit(data, testFraction: 0.2);

    private sealed class Thing
    {
        public string Colour { get; set; } = "";

        public float Size { get; set; }

        public float Weight { get; set; }

        public bool IsLarge { get; set; }

        public float Price { get; set; }
    }
}

/// <summary>A block that has a table of image files.</summary>
public class Images : Context
{
    /// <summary>Columns Label and ImagePath.</summary>
    protected IDataView data =>
        ml.Data.LoadFromTextFile("images.tsv", [new("Label", DataKind.String, 0), new("ImagePath", DataKind.String, 1)], hasHeader: true);

    /// <summary>The same with the images, column Image, and the label as a key.</summary>
    protected IDataView photos => Reading().Fit(data).Transform(data);

    /// <summary>A classifier of the column Image, hardly trained.</summary>
    protected TransformerChain<MoeImageClassificationTransformer> model => field ??= Reading()
        .Append(ml.MulticlassClassification.Trainers.MoeImageClassifier(
            new MoeImageClassificationTrainer.Options { FeatureColumnName = "Image", ImageWidth = 8, Width = 16, Heads = 2, MaxEpochs = 1 }))
        .Fit(data);

    private EstimatorChain<ImageLoadingTransformer> Reading() => ml.Transforms.Conversion.MapValueToKey("Label")
        .Append(ml.Transforms.LoadRawImageBytes("Image", imageFolder: "photos", inputColumnName: "ImagePath"));
}

/// <summary>A block that has a language model, of random weights.</summary>
public class Generator : Context
{
    /// <summary>Column Question.</summary>
    protected IDataView questions => ml.Data.LoadFromEnumerable(
        [new Asked { Question = "where does the river bend" }, new Asked { Question = "why is the river brown" }]);

    /// <summary>Texts to measure the model on, in the same column.</summary>
    protected IDataView texts => questions;

    /// <summary>Answers the column Question.</summary>
    protected MoeTextGenerationTransformer model =>
        field ??= ml.Transforms.Text.GenerateText("Answer", "Question", PublishedModel.FromFolder(Samples.LanguageModel)).Fit(questions);

    private sealed class Asked
    {
        public string Question { get; set; } = "";
    }
}

/// <summary>A block that has tables for models that write.</summary>
public class Tuning : Context
{
    /// <summary>Columns Question, Context and Answer.</summary>
    protected IDataView questions => Table(i => new Asked($"who sees {i % 3}", $"the fox sees {i % 3} and the owl sees none", "the fox"));

    /// <summary>Columns Article and Summary.</summary>
    protected IDataView articles => Table(i => new Read($"it rains on the river for {i} days", "it rains"));

    /// <summary>Columns Text and Label.</summary>
    protected IDataView requests => Table(i => i % 2 == 0 ? new Request("please tell me", "yes") : new Request("tell me now", "no"));

    private IDataView Table<T>(Func<int, T> row)
        where T : class => ml.Data.LoadFromEnumerable(Enumerable.Range(0, 12).Select(row).ToList());

    private sealed record Asked(string Question, string Context, string Answer);

    private sealed record Read(string Article, string Summary);

    private sealed record Request(string Text, string Label);
}

/// <summary>The files that blocks find in the current folder: small tables of made-up texts and pictures, and a tiny model.</summary>
internal static class Samples
{
    /// <summary>The trained model's file.</summary>
    public const string Model = "intents.zip";

    /// <summary>Folder of a causal mixture.</summary>
    public const string LanguageModel = "models/olmoe";

    private const string Original = "original.zip";

    // what a folder has that is made for conversations
    private const string ChatTemplate = """
        {
          "chat_template": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
        }
        """;

    private static readonly (string Label, string[] Words)[] Classes =
    [
        ("weather", ["rain", "sun", "cloud", "storm", "wind"]),
        ("food", ["bread", "soup", "apple", "cheese", "rice"]),
        ("travel", ["train", "plane", "ticket", "hotel", "road"]),
    ];

    /// <summary>Writes all files into the current folder.</summary>
    public static void Write()
    {
        var random = new Random(1);
        var rows = Enumerable.Range(0, 60).Select(i => Classes[i % 3]).Select(c => (c.Label, Text: Sentence(c.Words, random))).ToList();
        File.WriteAllLines("intents.tsv", rows.Select(row => $"{row.Label}\t{row.Text}").Prepend("Label\tText"));
        File.WriteAllLines("sentences.txt", rows.Select(row => row.Text));
        File.WriteAllLines("more.txt", rows.Select(row => row.Text).Reverse());
        File.WriteAllLines("vocabulary.txt", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Classes.SelectMany(c => c.Words)]);
        WriteImages(random);
        WriteLanguageModels();
        TrainModel();
    }

    /// <summary>Puts the trained model back, in whose place a block may have saved another.</summary>
    public static void RestoreModel() => File.Copy(Original, Model, overwrite: true);

    /// <summary>The table of texts.</summary>
    public static IDataView Texts(MLContext ml) =>
        ml.Data.LoadFromTextFile("intents.tsv", [new("Label", DataKind.String, 0), new("Text", DataKind.String, 1)], hasHeader: true);

    private static string Sentence(string[] words, Random random) =>
        string.Join(' ', Enumerable.Range(0, 5).Select(_ => words[random.Next(words.Length)]));

    private static void TrainModel()
    {
        var ml = new MLContext(seed: 1);
        var texts = Texts(ml);
        var model = ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(ml.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
            {
                Sentence1ColumnName = "Text",
                Width = 16,
                Heads = 2,
                ExpertWidth = 16,
                HashBits = 10,
                MaxEpochs = 4,
            }))
            .Append(ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"))
            .Fit(texts);
        ml.Model.Save(model, texts.Schema, Original);
        RestoreModel();
    }

    private static void WriteLanguageModels()
    {
        var config = TinyCausal.Olmoe.Replace("\"max_position_embeddings\": 64", "\"max_position_embeddings\": 512", StringComparison.Ordinal);
        TinyCausal.Write(LanguageModel, config, generation: """{ "max_new_tokens": 8 }""");
        TinyCausal.Write("models/switch-base-8", TinyCausal.Switch, generation: """{ "eos_token_id": 1, "max_new_tokens": 8 }""");
        var chat = TinyCausal.Write(LanguageModel + "-instruct", config, generation: """{ "max_new_tokens": 8 }""");
        File.WriteAllText(Path.Combine(chat, "tokenizer_config.json"), ChatTemplate);
    }

    // dark pictures and bright ones, as uncompressed bitmaps of 16 × 16 pixels in three colours
    private static void WriteImages(Random random)
    {
        const int side = 16;
        Directory.CreateDirectory("photos");
        var lines = new List<string> { "Label\tImagePath" };
        for (var i = 0; i < 4; i++)
        {
            var (label, brightness) = i % 2 == 0 ? ("dark", 0) : ("bright", 160);
            var pixels = new byte[side * side * 3];
            for (var p = 0; p < pixels.Length; p++)
                pixels[p] = (byte)(brightness + random.Next(90));
            using var file = new BinaryWriter(File.Create(Path.Combine("photos", $"{i}.bmp")));
            file.Write("BM"u8);
            foreach (var number in (int[])[54 + pixels.Length, 0, 54, 40, side, side, 1 | 24 << 16, 0, pixels.Length, 2835, 2835, 0, 0])
                file.Write(number);
            file.Write(pixels);
            lines.Add($"{label}\t{i}.bmp");
        }

        File.WriteAllLines("images.tsv", lines);
    }
}
