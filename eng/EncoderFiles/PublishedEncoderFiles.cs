using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.EncoderFiles;

/// <summary>Weights and vocabulary of a published encoder, as files of Hugging Face's.</summary>
internal static class PublishedEncoderFiles
{
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    /// <summary>Writes <c>model.safetensors</c>, and <c>vocab.txt</c> of an encoder of texts.</summary>
    /// <param name="source">
    /// The assembly with the resources <c>….Resources.model.onnx</c> and <c>….Resources.vocab.txt</c> of a BERT encoder, or the file <c>….onnx</c>
    /// of a ResNet.
    /// </param>
    /// <param name="configFile">The encoder's config.json.</param>
    /// <param name="folder">Receives the files.</param>
    /// <exception cref="InvalidDataException">A resource is missing, damaged, or not of that encoder.</exception>
    public static void Write(string source, string configFile, string folder)
    {
        if (Path.GetExtension(source) == ".onnx")
            WriteImageEncoder(source, configFile, folder);
        else
            WriteTextEncoder(source, configFile, folder);
    }

    private static void WriteImageEncoder(string model, string configFile, string folder)
    {
        Directory.CreateDirectory(folder);
        using var weights = ResNetWeights.Open(model);
        WriteWeights(weights, ResNetTensors.Of(configFile), Path.Combine(folder, "model.safetensors"), "such ResNet");
    }

    private static void WriteTextEncoder(string assembly, string configFile, string folder)
    {
        var model = ManifestResource.Find(assembly, ".Resources.model.onnx");
        var vocabulary = ManifestResource.Find(assembly, ".Resources.vocab.txt");
        Directory.CreateDirectory(folder);
        using var weights = OnnxWeights.Open(assembly, model.Start, model.Length, model.Name);
        var hasPooler = weights.Tensors.Keys.Any(name => name.StartsWith("pooler.", StringComparison.Ordinal));
        var expected = BertTensors.Of(configFile, hasPooler);
        WriteVocabulary(assembly, vocabulary, Path.Combine(folder, "vocab.txt"), expected[0].Shape[0]);
        WriteWeights(weights, expected, Path.Combine(folder, "model.safetensors"));
    }

    /// <summary>Writes tensors as a safetensors file.</summary>
    /// <param name="weights">The tensors.</param>
    /// <param name="expected">What they must be.</param>
    /// <param name="file">The file.</param>
    /// <param name="kind">What errors call the encoder.</param>
    /// <exception cref="InvalidDataException">Some are missing, unexpected or of another shape; the message names all of them.</exception>
    public static void WriteWeights(TensorSource weights, IReadOnlyList<(string Name, int[] Shape)> expected, string file, string kind = "BERT encoder")
    {
        List<string> wrong = [];
        foreach (var (name, shape) in expected)
        {
            if (!weights.Tensors.TryGetValue(name, out var tensor))
                wrong.Add($"{name} is missing");
            else if (!tensor.Shape.AsSpan().SequenceEqual(shape))
                wrong.Add($"{name} has the shape {tensor.ShapeText}, not {TensorInfo.TextOf(shape)}");
        }

        wrong.AddRange(
            weights.Tensors.Keys.Except(expected.Select(tensor => tensor.Name)).Select(name => $"{name} belongs to no {kind}"));
        if (wrong.Count > 0)
            throw new InvalidDataException($"{weights.Name} is not the expected encoder: {string.Join("; ", wrong)}.");
        SavedTensor[] tensors = [.. expected.Select(t => new SavedTensor(t.Name, t.Shape, ElementType.Float32, () => Read(t.Name)))];
        AtomicFile.Write(file, stream => SafeTensorsWriter.Write(stream, tensors, Metadata));

        float[] Read(string name)
        {
            var values = new float[weights.Tensors[name].Elements];
            weights.Read(weights.Tensors[name], 0, values);
            return values;
        }
    }

    /// <summary>Copies the vocabulary with line feeds for ends of lines, as the original file has them.</summary>
    private static void WriteVocabulary(string assembly, ManifestResource resource, string file, int words)
    {
        using var handle = File.OpenHandle(assembly);
        var bytes = new byte[resource.Length];
        if (RandomAccess.Read(handle, bytes, resource.Start) < bytes.Length)
            throw new InvalidDataException($"{assembly} ends within its resource {resource.Name}.");
        byte[] lines = [.. bytes.Where((value, i) => value != '\r' || i + 1 == bytes.Length || bytes[i + 1] != '\n')];
        var count = lines.Count(value => value == '\n');
        if (count != words)
            throw new InvalidDataException($"{resource.Name} has {count} lines, but the encoder knows {words} words.");
        AtomicFile.Write(file, stream => stream.Write(lines));
    }
}
