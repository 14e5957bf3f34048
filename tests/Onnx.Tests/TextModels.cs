using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Onnx.Inputs;
using Microsoft.ML.OnnxRuntime;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Exported models of texts, and the texts that they are tried with.</summary>
internal static class TextModels
{
    private static readonly string[] Words =
    [
        "rain", "sun", "cloud", "storm", "wind", "bread", "soup", "apple", "cheese", "train", "plane", "ticket", "hotel", "road", "a",
        "cafe", "music",
    ];

    /// <summary>Sentences of different lengths.</summary>
    public static List<string> Texts(int count, int longest, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => string.Join(' ', random.GetItems(Words, random.Next(1, longest))))];
    }

    /// <summary>What ONNX Runtime gives for encoded texts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">Where it is written.</param>
    /// <param name="rows">Encoded by its input.</param>
    /// <param name="output">Name of the output.</param>
    /// <param name="options">How it is written.</param>
    /// <param name="isPair">Whether rows are pairs.</param>
    public static float[] Run(
        Model<EncodedText> model, string path, List<EncodedText> rows, string output, OnnxOptions? options = null, bool isPair = false)
    {
        OnnxExport.Save(model, path, options, isPair);
        using var file = new OnnxFile(path);
        var results = new List<float>();
        // chunks of different lengths: neither number of rows nor of tokens is fixed
        foreach (var chunk in rows.Chunk(130))
            results.AddRange(file.Run(output, [.. Inputs(model, chunk, isPair).Where(input => file.Inputs.Contains(input.Name)).Select(Value)]));
        return [.. results];
    }

    /// <summary>What graphs read of encoded texts.</summary>
    public static IReadOnlyList<OnnxInput> Inputs(Model<EncodedText> model, IReadOnlyList<EncodedText> rows, bool isPair = false)
    {
        var filled = new EncodedTexts(rows);
        var inputs = filled.For((TextInput)model.Input, isPair);
        return model.Branch is LinearBranch branch ? [.. inputs, .. filled.For(branch)] : inputs;
    }

    /// <summary>Numbers for ONNX Runtime.</summary>
    public static NamedOnnxValue Value(OnnxInput input) => input.Values is long[] whole
        ? OnnxFile.Input(input.Name, whole, [.. input.Shape])
        : OnnxFile.Input(input.Name, (float[])input.Values, [.. input.Shape]);
}
