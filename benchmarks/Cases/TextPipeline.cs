using System.IO.Compression;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>The default text model as a user of ML.NET trains, saves, loads and calls it.</summary>
/// <param name="threads">Threads of training and of the model that it gives; a loaded model uses all CPUs.</param>
/// <param name="linearBranch">Whether there is a linear branch beside the network, as is the default.</param>
internal sealed class TextPipeline(int threads, bool linearBranch = true)
{
    private readonly MLContext _ml = new(seed: 1);

    public IDataView View(IEnumerable<TextRow> rows) => _ml.Data.LoadFromEnumerable(rows);

    public ITransformer Fit(IDataView table, int epochs)
    {
        var options = new MoeTextClassificationTrainer.Options
        {
            Sentence1ColumnName = nameof(TextRow.Text),
            Device = MoeDevice.Cpu,
            Threads = threads,
            MaxEpochs = epochs,
            LinearBranch = linearBranch,
        };
        return Around(_ml, _ml.MulticlassClassification.Trainers.MoeTextClassifier(options)).Fit(table);
    }

    /// <summary>A trainer that learns from keys, with labels turned into keys and back.</summary>
    public static IEstimator<ITransformer> Around(MLContext ml, IEstimator<ITransformer> trainer) =>
        ml.Transforms.Conversion.MapValueToKey(nameof(TextRow.Label))
            .Append(trainer)
            .Append(ml.Transforms.Conversion.MapKeyToValue(nameof(TextPrediction.PredictedLabel)));

    /// <summary>Reads predicted label and score of every row.</summary>
    public static void Read(IDataView scored)
    {
        var label = scored.Schema[nameof(TextPrediction.PredictedLabel)];
        var score = scored.Schema[nameof(TextPrediction.Score)];
        using var cursor = scored.GetRowCursor([label, score]);
        var getLabel = cursor.GetGetter<ReadOnlyMemory<char>>(label);
        var getScore = cursor.GetGetter<VBuffer<float>>(score);
        var labelOfRow = default(ReadOnlyMemory<char>);
        var scoreOfRow = default(VBuffer<float>);
        while (cursor.MoveNext())
        {
            getLabel(ref labelOfRow);
            getScore(ref scoreOfRow);
        }
    }

    public byte[] Save(ITransformer model, IDataView table)
    {
        using var zip = new MemoryStream();
        _ml.Model.Save(model, table.Schema, zip);
        return zip.ToArray();
    }

    public ITransformer Load(byte[] zip)
    {
        using var stream = new MemoryStream(zip);
        return _ml.Model.Load(stream, out _);
    }

    public PredictionEngine<TextRow, TextPrediction> Engine(ITransformer model) =>
        _ml.Model.CreatePredictionEngine<TextRow, TextPrediction>(model);

    /// <summary>The classifier that a saved model holds, without ML.NET.</summary>
    public static Model<EncodedText> Classifier(byte[] zip, Engine engine)
    {
        using var archive = new ZipArchive(new MemoryStream(zip));
        using var config = Read("Config.json");
        using var weights = Read("Weights.safetensors");
        return ModelFiles.LoadText(config, weights, engine);

        MemoryStream Read(string name)
        {
            var copy = new MemoryStream();
            using var entry = archive.Entries.Single(e => e.Name == name).Open();
            entry.CopyTo(copy);
            copy.Position = 0;
            return copy;
        }
    }
}
