using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Moe.Tests.Fuzzing.Mutation;

/// <summary>Changes values, names and the order of a JSON file, which mostly stays one.</summary>
internal static class JsonMutation
{
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 512 };

    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "1", "-1", "2", "3", "7", "64", "127", "255", "256", "1023", "65535", "65536", "1000000",
        "16777216", "2147483647", "-2147483648", "2147483648", "4294967296", "9223372036854775807", "18446744073709551616", "1e9",
        "1e18", "1e308", "1e-300", "-0.0", "0.5", "1.5", "0.1", "-1e38", "3.4e38", "\"\"", "\" \"", "\"a\"", "\"NaN\"", "\"Infinity\"",
        "\"-1\"", "\"../x\"", "\"\\ud800\"", "\"\\u0000\"", "\"\u00e9\ud835\udc9c\"", "[]", "{}", "[[]]", "[0]", "[null]", "{\"\":0}",
        "{\"type\":\"Sequence\"}",
    ];

    /// <inheritdoc cref="Mutator"/>
    public static byte[] Apply(byte[] content, Random random)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(content);
        }
        catch (JsonException)
        {
            return ByteMutation.Apply(content, random);
        }

        try
        {
            if (root is null)
                return Encoding.UTF8.GetBytes(Values[random.Next(Values.Length)]);
            if (random.Next(24) == 0)
                return NameTwice(content, random);
            var places = new List<(JsonNode Parent, string? Name, int Index)>();
            Collect(root, places);
            if (places.Count == 0)
                return Encoding.UTF8.GetBytes(Values[random.Next(Values.Length)]);
            Change(places, random);
            return Encoding.UTF8.GetBytes(root.ToJsonString(Json));
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or JsonException)
        {
            // a name twice, half a surrogate pair or too deep by an earlier change: no tree can be made of it
            return ByteMutation.Apply(content, random);
        }
    }

    private static void Change(List<(JsonNode Parent, string? Name, int Index)> places, Random random)
    {
        var place = places[random.Next(places.Count)];
        var (parent, name, index) = place;
        var old = Get(place);
        switch (random.Next(10))
        {
            case 0 or 1:
                Set(place, JsonNode.Parse(Values[random.Next(Values.Length)]));
                break;
            case 2 or 3 when old is JsonValue value && value.GetValueKind() == JsonValueKind.Number:
                Set(place, Near(value, random));
                break;
            case 2 or 3 when old is JsonValue value && value.GetValueKind() == JsonValueKind.String:
                Set(place, Near(value.GetValue<string>(), random));
                break;
            case 4 when parent is JsonObject record:
                record.Remove(name!);
                break;
            case 4:
                parent.AsArray().RemoveAt(index);
                break;
            case 5:
                Set(place, Get(places[random.Next(places.Count)])?.DeepClone());
                break;
            case 6 when parent is JsonArray list:
                for (var more = random.Next(1, random.Next(8) == 0 ? 200 : 4); more > 0; more--)
                    list.Insert(random.Next(list.Count + 1), old?.DeepClone());
                break;
            case 6:
                parent.AsObject()[name + (random.Next(2) == 0 ? "_" : name)] = old?.DeepClone();
                break;
            case 7 when parent is JsonObject record:
                record.Remove(name!);
                record[Near(name!, random)] = old;
                break;
            case 8 when random.Next(8) == 0:
                for (var depth = random.Next(1, 80); depth > 0; depth--)
                    old = random.Next(2) == 0 ? new JsonArray(old?.DeepClone()) : new JsonObject { ["a"] = old?.DeepClone() };
                Set(place, old);
                break;
            default:
                var other = places[random.Next(places.Count)];
                Set(place, Get(other)?.DeepClone());
                break;
        }
    }

    private static JsonValue Near(JsonValue value, Random random)
    {
        var number = double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture);
        var near = random.Next(6) switch
        {
            0 => number + 1,
            1 => number - 1,
            2 => number * 2,
            3 => -number,
            4 => number + random.Next(-64, 65),
            _ => number * 1000,
        };
        return Math.Abs(near) < 1e15 && near == Math.Floor(near) ? JsonValue.Create((long)near)
            : double.IsFinite(near) ? JsonValue.Create(near)
            : JsonValue.Create(1e300);
    }

    private static string Near(string text, Random random) => random.Next(6) switch
    {
        0 => text + text,
        1 => text.Length > 0 ? text[1..] : "x",
        2 => text.Length > 0 ? text[..^1] : " ",
        3 => text.Insert(random.Next(text.Length + 1), ((char)random.Next(32, 0x2FF)).ToString()),
        4 => new string(text.Length > 0 ? text[0] : 'a', random.Next(1, 3000)),
        _ => text.ToUpperInvariant(),
    };

    private static void Collect(JsonNode node, List<(JsonNode, string?, int)> places)
    {
        if (node is JsonObject record)
        {
            foreach (var (name, value) in record)
            {
                places.Add((node, name, 0));
                if (value is not null)
                    Collect(value, places);
            }
        }
        else if (node is JsonArray list)
        {
            for (var i = 0; i < list.Count; i++)
            {
                places.Add((node, null, i));
                if (list[i] is { } value)
                    Collect(value, places);
            }
        }
    }

    private static JsonNode? Get((JsonNode Parent, string? Name, int Index) place) =>
        place.Name is null ? place.Parent.AsArray()[place.Index] : place.Parent.AsObject()[place.Name];

    private static void Set((JsonNode Parent, string? Name, int Index) place, JsonNode? value)
    {
        if (place.Name is null)
            place.Parent.AsArray()[place.Index] = value;
        else
            place.Parent.AsObject()[place.Name] = value;
    }

    /// <summary>A tree cannot hold a name twice, a file can.</summary>
    private static byte[] NameTwice(byte[] content, Random random)
    {
        var text = Encoding.UTF8.GetString(content);
        var colons = Enumerable.Range(0, text.Length).Where(i => text[i] == ':' && i > 1 && text[i - 1] == '"').ToList();
        if (colons.Count == 0)
            return content;
        var colon = colons[random.Next(colons.Count)];
        var start = text.LastIndexOf('"', colon - 2);
        return start < 0
            ? content
            : Encoding.UTF8.GetBytes(text.Insert(start, $"{text[start..colon]}:{Values[random.Next(Values.Length)]},"));
    }
}
