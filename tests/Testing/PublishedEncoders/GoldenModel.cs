using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>What the original library computes with a published model: <c>expected.json</c> and the tensors beside it.</summary>
internal sealed class GoldenModel : IDisposable
{
    private readonly JsonDocument _json;
    private readonly TensorFiles? _tensors;
    private GoldenModel? _first;

    private GoldenModel(string folder, string name)
    {
        _json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, name + ".json")));
        _tensors = File.Exists(Path.Combine(folder, name + ".safetensors")) ? TensorFiles.Open(Path.Combine(folder, name + ".safetensors")) : null;
    }

    /// <summary>The whole of <c>expected.json</c>.</summary>
    public JsonElement Json => _json.RootElement;

    /// <summary>The cases.</summary>
    public IEnumerable<GoldenCase> Cases => Json.GetProperty("cases").EnumerateObject().Select(c => new GoldenCase(this, c.Name, c.Value));

    /// <summary>Opens a folder.</summary>
    public static GoldenModel Open(string folder) => new(folder, "expected");

    /// <summary>Opens what another version, or another rule, computes, of which there may be no tensors; null where it is not there.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="version">How the file's name ends.</param>
    /// <param name="first">Has the tensors that are not told again.</param>
    public static GoldenModel? OpenOther(string folder, string version, GoldenModel first) =>
        File.Exists(Path.Combine(folder, $"expected-{version}.json")) ? new(folder, "expected-" + version) { _first = first } : null;

    /// <summary>Whether it has a tensor of its own.</summary>
    public bool Tells(string name) => _tensors is not null && _tensors.Tensors.ContainsKey(name);

    /// <summary>A scalar; null where there is none of the name.</summary>
    public double? Scalar(string name) =>
        Json.TryGetProperty("scalars", out var scalars) && scalars.TryGetProperty(name, out var value) ? value.GetDouble() : null;

    /// <summary>Names of the scalars of a case.</summary>
    public IEnumerable<string> ScalarsOf(string name) => Json.TryGetProperty("scalars", out var scalars)
        ? scalars.EnumerateObject().Select(s => s.Name).Where(s => s.StartsWith(name + ".", StringComparison.Ordinal))
        : [];

    /// <summary>A tensor; null where there is none of the name.</summary>
    public (float[] Values, int[] Shape)? Tensor(string name)
    {
        if (!Tells(name))
            return _first?.Tensor(name);
        var tensor = _tensors!.Tensors[name];
        var values = new float[tensor.Elements];
        _tensors.Read(tensor, 0, values);
        return (values, tensor.Shape);
    }

    public void Dispose()
    {
        _tensors?.Dispose();
        _json.Dispose();
    }
}

/// <summary>One case of a <see cref="GoldenModel"/>: inputs, and what comes out.</summary>
internal sealed class GoldenCase(GoldenModel model, string name, JsonElement json)
{
    private (float[] Values, int[] Shape)? _ids;

    public string Name => name;

    /// <summary>Another member of the case.</summary>
    public JsonElement Member(string member) => json.GetProperty(member);

    public string Note => json.TryGetProperty("note", out var note) ? note.GetString() ?? "" : "";

    /// <summary>What the original computed in; "float32" where it is not said.</summary>
    public string DataType => json.TryGetProperty("dtype", out var type) ? type.GetString()! : "float32";

    public int Rows => Ids.Shape[0];

    public int Length => Ids.Shape[1];

    /// <summary>Names of the outputs.</summary>
    public IReadOnlyList<string> Outputs => [.. json.GetProperty("outputs").EnumerateArray().Select(o => o.GetString()!)];

    public bool HasGradients => Outputs.Any(o => o.StartsWith("grad.", StringComparison.Ordinal));

    /// <summary>1 for tokens, 0 for padding.</summary>
    public float[] Mask => this["attention_mask"]?.Values ?? [.. Enumerable.Repeat(1f, Rows * Length)];

    /// <summary>An input or an output, the case's or that of all cases; null where there is none.</summary>
    public (float[] Values, int[] Shape)? this[string tensor] => model.Tensor($"{name}.{tensor}") ?? model.Tensor(tensor);

    /// <summary>A scalar; null where there is none.</summary>
    public double? Scalar(string scalar) => model.Scalar($"{name}.{scalar}");

    /// <summary>Names of the scalars.</summary>
    public IEnumerable<string> Scalars => model.ScalarsOf(name).Select(s => s[(name.Length + 1)..]);

    /// <summary>Whether a row has padding alone.</summary>
    public bool IsAllPadding(int row) => Mask.AsSpan(row * Length, Length).IndexOf(1f) < 0;

    /// <summary>The ids as they stand, padding included, as a batch.</summary>
    public TokenIdBatch ToBatch()
    {
        var mask = Mask;
        int[] offsets = [.. Enumerable.Range(0, Rows + 1).Select(row => row * Length)];
        var layout = new SequenceLayout(offsets, mask.Contains(0f) ? [.. mask.Select(m => m > 0)] : null);
        return new TokenIdBatch().Reset(layout, Integers(Ids.Values), this["token_type_ids"] is { } types ? Integers(types.Values) : default);
    }

    private (float[] Values, int[] Shape) Ids =>
        _ids ??= this["input_ids"] ?? throw new InvalidDataException($"Case {name} has no input_ids.");

    private static int[] Integers(float[] values) => [.. values.Select(v => (int)v)];
}
