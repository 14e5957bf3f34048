using System.Text.Json;

namespace Microsoft.ML.Moe.EncoderFiles;

/// <summary>Names and shapes of the tensors of a BERT encoder as Hugging Face writes them, without the prefix <c>bert.</c></summary>
internal static class BertTensors
{
    private const int MaximumLayers = 1000;

    /// <summary>All tensors in the order of the model's modules.</summary>
    /// <param name="configFile">Path of its config.json.</param>
    /// <param name="hasPooler">Whether a dense layer follows the first token, which embeddings do without.</param>
    /// <exception cref="InvalidDataException">The file does not say what a BERT encoder's says.</exception>
    public static IReadOnlyList<(string Name, int[] Shape)> Of(string configFile, bool hasPooler)
    {
        using var config = Parse(configFile);
        if (!config.RootElement.TryGetProperty("model_type", out var type) || type.ToString() != "bert")
            throw new InvalidDataException($"{configFile}: model_type is not bert.");
        var width = Size("hidden_size", int.MaxValue);
        var ffn = Size("intermediate_size", int.MaxValue);
        List<(string Name, int[] Shape)> tensors =
        [
            ("embeddings.word_embeddings.weight", [Size("vocab_size", int.MaxValue), width]),
            ("embeddings.position_embeddings.weight", [Size("max_position_embeddings", int.MaxValue), width]),
            ("embeddings.token_type_embeddings.weight", [Size("type_vocab_size", int.MaxValue), width]),
            .. Norm("embeddings.LayerNorm"),
        ];
        for (var layer = 0; layer < Size("num_hidden_layers", MaximumLayers); layer++)
        {
            var name = $"encoder.layer.{layer}.";
            tensors.AddRange(
            [
                .. Linear(name + "attention.self.query", width, width),
                .. Linear(name + "attention.self.key", width, width),
                .. Linear(name + "attention.self.value", width, width),
                .. Linear(name + "attention.output.dense", width, width),
                .. Norm(name + "attention.output.LayerNorm"),
                .. Linear(name + "intermediate.dense", width, ffn),
                .. Linear(name + "output.dense", ffn, width),
                .. Norm(name + "output.LayerNorm"),
            ]);
        }

        return hasPooler ? [.. tensors, .. Linear("pooler.dense", width, width)] : tensors;

        int Size(string name, int most) =>
            config.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt32(out var size) && size > 0 && size <= most
                ? size
                : throw new InvalidDataException($"{configFile}: {name} is no number from 1 to {most}.");

        (string Name, int[] Shape)[] Norm(string name) => [(name + ".weight", [width]), (name + ".bias", [width])];
    }

    private static (string Name, int[] Shape)[] Linear(string name, int inputs, int outputs) =>
        [(name + ".weight", [outputs, inputs]), (name + ".bias", [outputs])];

    private static JsonDocument Parse(string file)
    {
        try
        {
            var document = JsonDocument.Parse(File.ReadAllBytes(file));
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document
                : throw new InvalidDataException($"{file} is no JSON object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is no JSON: {e.Message}", e);
        }
    }
}
