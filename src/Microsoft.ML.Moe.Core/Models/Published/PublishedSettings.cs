using System.Text.Json;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>A published <c>config.json</c>: values by name, with the defaults of the original library where they are absent.</summary>
/// <param name="json">The object.</param>
/// <param name="file">What errors call the file.</param>
internal sealed class PublishedSettings(JsonElement json, string file)
{
    private Dictionary<string, string> _older = [];

    /// <summary>What errors call the file.</summary>
    public string File => file;

    /// <summary>The same file, in which values may have older names.</summary>
    /// <param name="names">Names by which a value is asked for, and what it is called where there is none of that name.</param>
    public PublishedSettings WithOlderNames(params IReadOnlyList<(string Name, string Older)> names) =>
        new(json, file) { _older = names.ToDictionary(n => n.Name, n => n.Older) };

    /// <summary>Whether the file names a value, if only to say that there is none.</summary>
    public bool Names(string name) => json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out _);

    /// <summary>A whole number.</summary>
    public int Int(string name, int absent) => Value(name) is not { } value ? absent
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number
        : throw Bad(name, "a whole number");

    /// <summary>A whole number, or null where it is absent.</summary>
    public int? Int(string name) => Value(name) is null ? null : Int(name, 0);

    /// <summary>Every how many blocks something comes: a whole number over 0; 1 where it is absent.</summary>
    public int Step(string name) => Int(name, 1) is >= 1 and var step ? step : throw Refused($"{name} {Int(name, 1)} is not over 0");

    /// <summary>Whole numbers; none where they are absent.</summary>
    public IReadOnlyList<int> Ints(string name) => Value(name) is not { } value ? []
        : value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out _))
            ? [.. value.EnumerateArray().Select(v => v.GetInt32())]
        : throw Bad(name, "a list of whole numbers");

    /// <summary>A whole number that holds for all blocks; a list has one for each block, and they must be the same.</summary>
    public int IntOfAll(string name, int absent) => Value(name) is not { ValueKind: JsonValueKind.Array } ? Int(name, absent)
        : Ints(name).Distinct().ToArray() is [var only] ? only
        : throw Refused($"{name} differs between the blocks, which is not supported");

    /// <summary>A whole number that stands for two, or a list of two.</summary>
    public (int First, int Second) PairOf(string name, int absent) => Value(name) is not { ValueKind: JsonValueKind.Array }
        ? (Int(name, absent), Int(name, absent))
        : Ints(name) is [var first, var second] ? (first, second)
        : throw Bad(name, "a whole number or a list of two");

    /// <summary>A number.</summary>
    public float Float(string name, float absent) => (float)Double(name, absent);

    /// <summary>A number in double precision.</summary>
    public double Double(string name, double absent) => Value(name) is not { } value ? absent
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number
        : throw Bad(name, "a number");

    /// <summary>Numbers; none where they are absent.</summary>
    public IReadOnlyList<double> Doubles(string name) => Value(name) is not { } value ? []
        : value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.Number)
            ? [.. value.EnumerateArray().Select(v => v.GetDouble())]
        : throw Bad(name, "a list of numbers");

    /// <summary>true or false.</summary>
    public bool Flag(string name, bool absent = false) => Value(name) is not { } value ? absent
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw Bad(name, "true or false");

    /// <summary>A text.</summary>
    public string Text(string name, string absent) => Value(name) is not { } value ? absent
        : value.ValueKind == JsonValueKind.String ? TextOf(value, name)
        : throw Bad(name, "a text");

    /// <summary>A text, or an array of texts.</summary>
    public IReadOnlyList<string> Texts(string name) => Value(name) is not { } value ? []
        : value.ValueKind == JsonValueKind.String ? [TextOf(value, name)]
        : value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(v => TextOf(v, name))]
        : throw Bad(name, "a text or a list of texts");

    /// <summary>All values, which must be texts, by name.</summary>
    public IReadOnlyDictionary<string, string> AllTexts() => json.ValueKind != JsonValueKind.Object
        ? new Dictionary<string, string>()
        : json.EnumerateObject().Select(NameOf).Distinct().ToDictionary(name => name, name => Text(name, ""));

    /// <summary>Whether there is a value other than null.</summary>
    public bool Has(string name) => Value(name) is not null;

    /// <summary>Whether a value is a number.</summary>
    public bool IsNumber(string name) => Value(name) is { ValueKind: JsonValueKind.Number };

    /// <summary>An object within, empty where it is absent.</summary>
    public PublishedSettings Part(string name) => Value(name) is not { } value ? new PublishedSettings(default, file)
        : value.ValueKind == JsonValueKind.Object ? new PublishedSettings(value, file)
        : throw Bad(name, "an object");

    /// <summary>Number of entries of an object; null where it is absent.</summary>
    public int? Count(string name) => Value(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.Object ? value.EnumerateObject().Count()
        : throw Bad(name, "an object");

    /// <summary>The first text of an array; null where there is none.</summary>
    public string? First(string name) => Value(name) is { ValueKind: JsonValueKind.Array } value && value.GetArrayLength() > 0
        && value[0].ValueKind == JsonValueKind.String ? TextOf(value[0], name) : null;

    /// <summary>An activation by the name that transformers has for it.</summary>
    public Activation Activation(string name, string absent) => Text(name, absent) switch
    {
        "gelu" or "gelu_python" => Tensors.Activation.GeluErf,
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" or "gelu_python_tanh" => Tensors.Activation.GeluTanh,
        "relu" => Tensors.Activation.Relu,
        "silu" or "swish" => Tensors.Activation.Silu,
        "tanh" => Tensors.Activation.Tanh,
        var other => throw Refused($"{name} '{other}' is none of the activations that are known here: gelu, gelu_new, relu, silu, tanh"),
    };

    /// <summary>Refuses a decoder: its attention would have to be causal.</summary>
    public void RefuseDecoder()
    {
        if (Flag("is_decoder") || Flag("add_cross_attention"))
            throw Refused("it is a decoder, not an encoder");
    }

    /// <summary>Refuses positions that are not looked up in a table.</summary>
    public void RefuseRelativePositions() => RefuseOther("position_embedding_type", "absolute");

    /// <summary>Refuses another text than the only one that is supported; it may be absent.</summary>
    public void RefuseOther(string name, string only)
    {
        if (Text(name, only) is var value && value != only)
            throw Refused($"{name} '{value}' is not supported: only '{only}' is");
    }

    /// <summary>The error for a file that says something that cannot be done here.</summary>
    /// <param name="why">Why; without a full stop.</param>
    public InvalidDataException Refused(string why) => new($"{file} cannot be used: {why}.");

    private InvalidDataException Bad(string name, string expected) => new($"{file}: {name} is not {expected}.");

    // the parser looks at a text's bytes only when it is asked for them
    private string TextOf(JsonElement value, string name)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Bad(name, "a text: it is no UTF-8, or holds half a surrogate pair");
        }
    }

    private string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw Refused("a name in it is no UTF-8, or holds half a surrogate pair");
        }
    }

    private JsonElement? Value(string name) => ValueOf(name) ?? (_older.TryGetValue(name, out var older) ? ValueOf(older) : null);

    private JsonElement? ValueOf(string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;
}
