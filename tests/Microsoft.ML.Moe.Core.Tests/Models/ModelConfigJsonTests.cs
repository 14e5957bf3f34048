using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Adapters;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>Generated code writes and reads configurations as reflection does, which wrote those that are in the world.</summary>
public class ModelConfigJsonTests
{
    private static readonly JsonSerializerOptions Generated = new(ModelConfigJson.Model.Options) { RespectNullableAnnotations = false };

    private static readonly JsonSerializerOptions Reflected = new(Generated)
    {
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    public static TheoryData<Type, Type> Records { get; } = Declared();

    [Theory]
    [MemberData(nameof(Records))]
    public void WhatIsWrittenIsTheSame(Type declared, Type type)
    {
        var value = Activator.CreateInstance(type, nonPublic: true);

        Assert.Equal(JsonSerializer.Serialize(value, declared, Reflected), JsonSerializer.Serialize(value, declared, Generated));
    }

    [Theory]
    [MemberData(nameof(Records))]
    public void WhatIsLeftOutIsTheDefaultOrMissed(Type declared, Type type)
    {
        var all = (JsonObject)JsonNode.Parse(JsonSerializer.Serialize(Activator.CreateInstance(type, nonPublic: true), declared, Reflected))!;
        foreach (var name in all.Select(property => property.Key).Append("nothing"))
        {
            var json = all.DeepClone().AsObject();
            json.Remove(name);

            Assert.Equal((name, Again(json, declared, Reflected)), (name, Again(json, declared, Generated)));
        }
    }

    [Fact]
    public void EveryEnumerationIsWrittenByName()
    {
        var types = new Queue<Type>([typeof(ModelConfig)]);
        var seen = new HashSet<Type>();
        while (types.TryDequeue(out var type))
        {
            type = Nullable.GetUnderlyingType(type) ?? type;
            if (!seen.Add(type))
                continue;
            var info = Generated.GetTypeInfo(type);
            if (type.IsEnum)
                Assert.Equal(JsonValueKind.String, JsonSerializer.SerializeToElement(Enum.GetValues(type).GetValue(0), info).ValueKind);
            foreach (var part in info.Properties.Select(p => p.PropertyType).Concat(info.PolymorphismOptions?.DerivedTypes.Select(d => d.DerivedType) ?? []))
                types.Enqueue(part);
            if (info.ElementType is { } element)
                types.Enqueue(element);
        }

        Assert.Contains(typeof(Microsoft.ML.Moe.Models.Published.RotaryScaling), seen);
    }

    [Fact]
    public void ARoutersKindMayStandAnywhere()
    {
        var config = new ModelConfig
        {
            Input = new TextInputConfig(),
            Encoder = new EncoderConfig { Router = Router.Unified(1.5, alpha: 0.25) },
            Head = new ClassesHeadConfig { Classes = 2 },
        };
        using var stream = new MemoryStream();
        config.Write(stream);
        var json = JsonNode.Parse(stream.ToArray())!;
        var router = json["encoder"]!["router"]!.AsObject();
        router.Remove("kind", out var kind);
        router.Add("kind", kind);

        Assert.Equal(config, ModelConfig.Read(new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(json))));
    }

    private static string Again(JsonObject json, Type declared, JsonSerializerOptions options)
    {
        try
        {
            return JsonSerializer.Serialize(json.Deserialize(declared, options), declared, Reflected);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            return e.GetType() + e.Message;
        }
    }

    private static TheoryData<Type, Type> Declared()
    {
        var records = new TheoryData<Type, Type>
        {
            { typeof(EncoderConfig), typeof(EncoderConfig) },
            { typeof(MixtureConfig), typeof(MixtureConfig) },
            { typeof(LinearBranchConfig), typeof(LinearBranchConfig) },
            { typeof(LowRankAdaptation), typeof(LowRankAdaptation) },
        };
        foreach (var declared in new[] { typeof(EncoderConfig), typeof(InputConfig), typeof(HeadConfig), typeof(EmbeddingModule) })
            foreach (var derived in declared.GetCustomAttributes<JsonDerivedTypeAttribute>(inherit: false))
                records.Add(declared, derived.DerivedType);
        return records;
    }
}
