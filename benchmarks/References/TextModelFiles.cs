using System.Text.Json;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>
/// A text classifier with rows, in a folder from which PyTorch makes the same model: <c>pytorch/text_model.py</c> checks that it gives
/// the same probabilities. The folder goes when this is disposed.
/// </summary>
internal sealed class TextModelFiles : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("moe-benchmarks-");

    /// <summary>Writes the folder.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">Rows to score.</param>
    /// <param name="probabilities">Theirs, rows × classes.</param>
    /// <param name="training">Batch and settings of a training step; null where there is to be none.</param>
    public TextModelFiles(Model<EncodedText> model, IReadOnlyList<EncodedText> rows, float[] probabilities, object? training = null)
    {
        using (var config = File.Create(PathOf("Config.json")))
        using (var weights = File.Create(PathOf("Weights.safetensors")))
            model.Save(config, weights);
        File.WriteAllText(
            PathOf("Batch.json"), JsonSerializer.Serialize(new { scoring = Describe(new TextBatchPacker(model.Packing()).Pack(rows)), probabilities, training }));
    }

    /// <summary>PyTorch's forward pass, on the CPU.</summary>
    public string Scoring => $"text/scoring/fp32/cpu/{_folder.FullName}";

    /// <summary>PyTorch's training step.</summary>
    /// <param name="device">Name of the device in PyTorch.</param>
    /// <param name="precision">"fp32", or "bf16" for products in bfloat16.</param>
    public string TrainingOn(string device = "cpu", string precision = "fp32") => $"text/training/{precision}/{device}/{_folder.FullName}";

    /// <summary>A batch as PyTorch reads it.</summary>
    public static object Describe(TextBatch batch) => new
    {
        offsets = batch.Layout.Offsets.ToArray(), tokens = Describe(batch.Tokens),
    };

    public void Dispose() => _folder.Delete(recursive: true);

    private static object Describe(RaggedIndices bags) => new
    {
        offsets = bags.Offsets.ToArray(), indices = bags.Indices.ToArray(), weights = bags.Weights.ToArray(),
    };

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);
}
