namespace Microsoft.ML.Moe.Tests.Fuzzing.Mutation;

/// <summary>Changes a file, knowing how files of its kind are built.</summary>
/// <param name="content">The file; stays as it is.</param>
/// <param name="random">What is changed.</param>
internal delegate byte[] Mutator(byte[] content, Random random);

/// <summary>The mutators by the names of files.</summary>
internal static class Mutators
{
    private const int MostBytes = 1 << 20;

    private static readonly Dictionary<string, Mutator> ByExtension = new()
    {
        [".json"] = JsonMutation.Apply,
        [".safetensors"] = SafeTensorsMutation.Apply,
        [".model"] = ProtobufMutation.Apply,
        [".onnx"] = ProtobufMutation.Apply,
        [".png"] = PngMutation.Apply,
        [".jpg"] = JpegMutation.Apply,
        [".webp"] = RiffMutation.Apply,
        [".txt"] = LineMutation.Apply,
        [".jinja"] = LineMutation.Apply,
    };

    /// <summary>Changes a file, mostly as its kind allows, sometimes anyhow.</summary>
    public static byte[] Apply(FuzzFile file, Random random)
    {
        var byKind = ByExtension.GetValueOrDefault(Path.GetExtension(file.Name), ByteMutation.Apply);
        var changes = 1 + (random.Next(2) == 0 ? 0 : random.Next(4));
        var content = file.Content;
        for (; changes > 0; changes--)
            content = random.Next(8) == 0 ? ByteMutation.Apply(content, random) : byKind(content, random);
        return content[..Math.Min(content.Length, Math.Max(MostBytes, file.Content.Length))];
    }
}
