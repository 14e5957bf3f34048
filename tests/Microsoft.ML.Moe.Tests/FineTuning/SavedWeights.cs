using System.Text;
using System.Text.Json;

namespace Microsoft.ML.Moe.Tests.FineTuning;

/// <summary>The weights of a model, as any tool would read them from its zip.</summary>
internal static class SavedWeights
{
    /// <summary>Bytes of each tensor by name.</summary>
    public static Dictionary<string, byte[]> Of(ITransformer model)
    {
        using var stream = new MemoryStream();
        new MLContext().Model.Save(model, null, stream);
        var file = Zip.Read(stream.ToArray()).Single(f => f.Key.EndsWith("/Weights.safetensors", StringComparison.Ordinal)).Value;
        var start = 8 + (int)BitConverter.ToInt64(file);
        using var header = JsonDocument.Parse(Encoding.UTF8.GetString(file, 8, start - 8));
        return header.RootElement.EnumerateObject().Where(t => t.Value.TryGetProperty("data_offsets", out _)).ToDictionary(
            tensor => tensor.Name,
            tensor =>
            {
                var offsets = tensor.Value.GetProperty("data_offsets");
                return file[(start + offsets[0].GetInt32())..(start + offsets[1].GetInt32())];
            });
    }
}
