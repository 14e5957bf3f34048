using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace MoeTool;

/// <summary>A published encoder as its name or the path of its folder.</summary>
internal sealed class PublishedEncoderJson : JsonConverter<PublishedEncoder>
{
    public override PublishedEncoder Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return Encoders.Named(reader.GetString() ?? "");
        }
        catch (UserException e)
        {
            throw new JsonException(e.Message);
        }
    }

    public override void Write(Utf8JsonWriter writer, PublishedEncoder value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Options are only read.");
}

/// <summary>
/// How much of an encoder is trained, as a word or a number, <c>"none"</c> or <c>3</c>; or an object of it, its <c>layers</c>, and what else is
/// set: <c>{ "layers": 3, "epochs": 2 }</c>.
/// </summary>
internal sealed class FineTuningJson : JsonConverter<FineTuning>
{
    private const string Layers = "layers";

    public override FineTuning Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var given = JsonNode.Parse(ref reader);
        var members = given as JsonObject;
        var layers = members is null ? given : JsonMembers.Take(members, Layers) ?? "auto";
        var named = FineTunings.Named(layers!.ToString())
            ?? throw new JsonException($"fine-tuning is of {FineTunings.Names}, or an object with \"{Layers}\".");
        return JsonMembers.Set(named with { }, members ?? [], options);
    }

    public override void Write(Utf8JsonWriter writer, FineTuning value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Options are only read.");
}

/// <summary>
/// A mixture made of an encoder as an object: <c>{ "method": "slices", "experts": 7, "sharedSlices": 1, "every": 1 }</c>; what is not named is at
/// the method's default.
/// </summary>
internal sealed class UpcyclingJson : JsonConverter<Upcycling>
{
    private const int UsualExperts = 8;
    private const double UsualShare = 0.5;

    public override Upcycling Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var given = JsonNode.Parse(ref reader) as JsonObject ?? throw new JsonException("upcycling is an object with a \"method\".");
        var name = Taken<string>(nameof(Upcycling.Method)) ?? throw new JsonException("upcycling needs a \"method\".");
        if (!Enum.TryParse<UpcyclingMethod>(name.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out var method) || !Enum.IsDefined(method))
            throw new JsonException($"there is no upcycling '{name}'; possible are {string.Join(", ", Enum.GetNames<UpcyclingMethod>())}.");
        var experts = Taken<int?>(nameof(Upcycling.Experts)) ?? UsualExperts;
        var router = Taken<Router>(nameof(Upcycling.Router));
        return JsonMembers.Set(
            method switch
            {
                UpcyclingMethod.VirtualGroups => Upcycling.VirtualGroups(Taken<int?>(nameof(Upcycling.Granularity)) ?? 1, experts, router),
                UpcyclingMethod.Slices => Upcycling.Slices(experts, Taken<int?>(nameof(Upcycling.SharedSlices)) ?? 0, router),
                UpcyclingMethod.DropUpcycling => Upcycling.DropUpcycling(Taken<double?>(nameof(Upcycling.Share)) ?? UsualShare, experts, router),
                UpcyclingMethod.Noise => Upcycling.Noise(Taken<double?>(nameof(Upcycling.Share)) ?? UsualShare, experts, router),
                _ => Upcycling.Copies(experts, router),
            },
            given,
            options);

        T? Taken<T>(string member) => JsonMembers.Take(given, member) is { } value ? value.Deserialize<T>(options) : default;
    }

    public override void Write(Utf8JsonWriter writer, Upcycling value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Options are only read.");
}

/// <summary>Sets members of an object, which can be set when it is made, as JSON names them.</summary>
internal static class JsonMembers
{
    /// <summary>Takes an entry out of an object; null where there is none.</summary>
    /// <param name="given">The object.</param>
    /// <param name="name">The entry's name, in any case of its letters.</param>
    public static JsonNode? Take(JsonObject given, string name)
    {
        var key = given.Select(entry => entry.Key).FirstOrDefault(key => key.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (key is null)
            return null;
        var value = given[key];
        given.Remove(key);
        return value;
    }

    /// <summary>Sets what entries name.</summary>
    /// <param name="value">Is changed: nobody else's.</param>
    /// <param name="given">The entries.</param>
    /// <param name="options">How values are read.</param>
    /// <exception cref="JsonException">There is no such member, or its value cannot be read.</exception>
    /// <exception cref="TargetInvocationException">A value is impossible; the exception within it says why.</exception>
    public static T Set<T>(T value, JsonObject given, JsonSerializerOptions options)
        where T : class
    {
        var properties = typeof(T).GetProperties().Where(property => property.SetMethod is { IsPublic: true }).ToList();
        foreach (var (name, content) in given)
        {
            var property = properties.Find(property => property.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) ?? throw new JsonException(
                $"there is no '{name}' to set, but {string.Join(", ", properties.Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name)))}.");
            property.SetValue(value, content.Deserialize(property.PropertyType, options));
        }

        return value;
    }
}
