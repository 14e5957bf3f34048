using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A model that the goldens train, and its loss.</summary>
internal abstract class GoldenTrained
{
    /// <summary>Its parameters.</summary>
    public required ParameterStore Store { get; init; }

    /// <summary>Which tensors of the file they are.</summary>
    public required WeightRules Rules { get; init; }

    /// <summary>The tensors of the goldens: batches, gradients and weights.</summary>
    public required TensorFiles Tensors { get; init; }

    /// <summary>Opens a folder's model.</summary>
    public static GoldenTrained Open(string path, Engine engine, TensorFiles weights, TensorFiles tensors, GoldenTrainingSettings settings)
    {
        var folder = PublishedFolder.Open(path);
        return folder.Encoder.WritingHead is null
            ? GoldenClassifier.Open(folder, engine, weights, tensors, settings.LabelSmoothing)
            : GoldenWriter.Open(folder, engine, weights, tensors, settings.LabelSmoothing);
    }

    /// <summary>The values of a tensor of the goldens.</summary>
    public static float[] Floats(TensorFiles tensors, string name)
    {
        var tensor = tensors.Tensors[name];
        var values = new float[tensor.Elements];
        tensors.Read(tensor, 0, values);
        return values;
    }

    /// <summary>The loss of a batch without what layers add to it, which is in the tape.</summary>
    /// <param name="tape">Operations.</param>
    /// <param name="batch">Number of the batch.</param>
    /// <param name="parts">Receives what layers add, before it is multiplied by a coefficient, as the goldens call it.</param>
    public abstract Tensor Loss(Tape tape, int batch, Dictionary<string, double> parts);

    /// <summary>A tensor of a batch by rows; null where it is not there.</summary>
    protected int[][]? Integers(int batch, string name)
    {
        var full = $"batch.{batch}.{name}";
        return Tensors.Tensors.TryGetValue(full, out var tensor)
            ? [.. Floats(Tensors, full).Select(value => (int)value).Chunk(tensor.Shape[^1])]
            : null;
    }

    /// <summary>The parameters of a folder's model.</summary>
    /// <typeparam name="T">What has them.</typeparam>
    protected static T Load<T>(Engine engine, TensorFiles weights, WeightRules rules, Func<ParameterStore, T> create)
    {
        var source = Weights.From(weights, rules, WeightPrecision.Float32);
        var made = create(new ParameterStore(engine, source) { HasDenseTables = true });
        source.Complete();
        return made;
    }
}

/// <summary>A published classifier.</summary>
internal sealed class GoldenClassifier : GoldenTrained
{
    private readonly TokenEmbedding _embedding;
    private readonly Encoder _encoder;
    private readonly Head _head;
    private readonly float _labelSmoothing;

    private GoldenClassifier(TokenEmbedding embedding, Encoder encoder, Head head, float labelSmoothing) =>
        (_embedding, _encoder, _head, _labelSmoothing) = (embedding, encoder, head, labelSmoothing);

    /// <summary>Opens it.</summary>
    public static GoldenClassifier Open(
        PublishedFolder folder, Engine engine, TensorFiles weights, TensorFiles tensors, float labelSmoothing)
    {
        var config = folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };
        var rules = config.CreateRules();
        return Load(engine, weights, rules, store => new GoldenClassifier(
            config.CreateTokenEmbedding(store),
            config.CreateEncoder(store),
            PublishedClassesHeadConfig.Of(folder).CreateHead(store, config),
            labelSmoothing)
        {
            Store = store,
            Rules = rules,
            Tensors = tensors,
        });
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape tape, int batch, Dictionary<string, double> parts)
    {
        var packed = Pack(batch);
        var context = new ForwardContext(tape, packed.Layout);
        var encoded = _encoder.Forward(context, _embedding.Forward(context, packed));
        int[] labels = [.. Integers(batch, "labels")!.SelectMany(row => row)];
        return tape.CrossEntropy(_head.Forward(tape, encoded, packed), labels, [], _labelSmoothing);
    }

    private TokenIdBatch Pack(int batch)
    {
        var ids = Integers(batch, "input_ids")!;
        int[] offsets = [.. Enumerable.Range(0, ids.Length + 1).Select(row => row * ids[0].Length)];
        bool[] mask = [.. Integers(batch, "attention_mask")!.SelectMany(row => row).Select(value => value > 0)];
        int[]? types = Integers(batch, "token_type_ids") is { } rows ? [.. rows.SelectMany(row => row)] : null;
        return new TokenIdBatch().Reset(
            new SequenceLayout(offsets, mask.Contains(false) ? mask : null),
            ids.SelectMany(row => row).ToArray(),
            types ?? default(ReadOnlyMemory<int>));
    }
}
