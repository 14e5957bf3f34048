using System.Text.Json;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>A value within a JSON file, which knows where it stands for the errors.</summary>
internal readonly struct JsonPart
{
    private const int MaximumDepth = 64;
    private const int MostReplacing = 256;
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaximumDepth };
    private readonly JsonElement _value;

    private JsonPart(JsonElement value, string where) => (_value, Where) = (value, where);

    /// <summary>File and path, as errors name them.</summary>
    public string Where { get; }

    /// <summary>Whether there is no value.</summary>
    public bool IsNull => _value.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    /// <summary>Whether the value is an array.</summary>
    public bool IsArray => _value.ValueKind == JsonValueKind.Array;

    /// <summary>Whether the value is an object.</summary>
    public bool IsObject => _value.ValueKind == JsonValueKind.Object;

    /// <summary>Whether the value is a text.</summary>
    public bool IsText => _value.ValueKind == JsonValueKind.String;

    /// <summary>Whether the value is a number.</summary>
    public bool IsNumber => _value.ValueKind == JsonValueKind.Number;

    /// <summary>Reads a whole file, hands its root to a method, and says which file is damaged.</summary>
    /// <exception cref="InvalidDataException">The file is no JSON object, or the method finds fault with it.</exception>
    public static T Read<T>(byte[] json, string file, Func<JsonPart, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(WithoutMark(json), Options);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? read(new JsonPart(document.RootElement, file))
                : throw new InvalidDataException($"{file} is not a JSON object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is not valid JSON of at most {MaximumDepth} levels: {e.Message}", e);
        }
    }

    /// <summary>A member; a null one when it is missing.</summary>
    public JsonPart this[string name]
    {
        get
        {
            var where = $"{Where}: {name}";
            return IsObject && _value.TryGetProperty(name, out var value) ? new JsonPart(value, where) : new JsonPart(default, where);
        }
    }

    /// <summary>Members of an object.</summary>
    public IEnumerable<(string Name, JsonPart Value)> Members()
    {
        Expect(JsonValueKind.Object, "an object");
        foreach (var property in _value.EnumerateObject())
            yield return (NameOf(property), new JsonPart(property.Value, Where));
    }

    /// <summary>Number of elements or members.</summary>
    public int Count()
    {
        if (IsArray)
            return _value.GetArrayLength();
        Expect(JsonValueKind.Object, "an object or an array");
        return _value.GetPropertyCount();
    }

    /// <summary>Elements of an array.</summary>
    public IEnumerable<JsonPart> Elements()
    {
        Expect(JsonValueKind.Array, "an array");
        var index = 0;
        foreach (var element in _value.EnumerateArray())
            yield return new JsonPart(element, $"{Where}[{index++}]");
    }

    /// <summary>The value as a text.</summary>
    public string Text()
    {
        Expect(JsonValueKind.String, "a text");
        try
        {
            return _value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException($"{Where} holds half a surrogate pair.", e);
        }
    }

    /// <summary>The value as a text that is put in place of another, time and again.</summary>
    public string ShortText() => Text() is { Length: <= MostReplacing } text
        ? text
        : throw Fail($"has {Text().Length} characters; {MostReplacing} are possible");

    /// <summary>The value as a text, or null.</summary>
    public string? TextOrNull() => IsNull ? null : Text();

    /// <summary>The value as an integer within bounds.</summary>
    public int Integer(int least = 0, int most = int.MaxValue) =>
        _value.ValueKind == JsonValueKind.Number && _value.TryGetInt32(out var number) && number >= least && number <= most
            ? number
            : throw Fail($"is not an integer within [{least}, {most}]");

    /// <summary>The value as a finite number.</summary>
    public double Number() =>
        _value.ValueKind == JsonValueKind.Number && _value.TryGetDouble(out var number) && double.IsFinite(number)
            ? number
            : throw Fail("is not a number");

    /// <summary>The value as a flag.</summary>
    public bool Flag() => _value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Fail("is neither true nor false"),
    };

    /// <summary>The value as a flag; what it is when it is missing.</summary>
    public bool Flag(bool missing) => IsNull ? missing : Flag();

    /// <summary>An error that names the place.</summary>
    public InvalidDataException Fail(string what) => new($"{Where} {what}.");

    private static ReadOnlyMemory<byte> WithoutMark(byte[] json) =>
        json.AsSpan().StartsWith("\uFEFF"u8) ? json.AsMemory(3) : json;

    private string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException($"{Where} has a name with half a surrogate pair.", e);
        }
    }

    private void Expect(JsonValueKind kind, string name)
    {
        if (_value.ValueKind != kind)
            throw Fail(IsNull ? "is missing" : $"is not {name}");
    }
}
