using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>How <see cref="ModelConfig"/> is written as JSON and read: by generated code, so that native programs can too.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(ModelConfig))]
[JsonSerializable(typeof(int[]))]
internal sealed partial class ModelConfigJson : JsonSerializerContext
{
    /// <summary>What a whole file is read and written by.</summary>
    public static JsonTypeInfo<ModelConfig> Model { get; } = (JsonTypeInfo<ModelConfig>)CreateOptions().GetTypeInfo(typeof(ModelConfig));

    private static JsonSerializerOptions CreateOptions() => new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowOutOfOrderMetadataProperties = true,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters =
        {
            InCamelCase<RouterKind>(), InCamelCase<RoutingScope>(), InCamelCase<CapacityPriority>(), InCamelCase<DroppedTokens>(),
            InCamelCase<WeightNormalization>(), InCamelCase<ScoreFunction>(), InCamelCase<GroupScore>(), InCamelCase<LinearInput>(),
            InCamelCase<TextWindows>(), InCamelCase<ResizeFilter>(), InCamelCase<TextPooling>(), InCamelCase<PublishedTask>(),
            InCamelCase<Activation>(), InCamelCase<QueryKeyNorm>(), InCamelCase<RotaryScalingKind>(), InCamelCase<AdaptedLayers>(),
        },
        TypeInfoResolver = new ModelConfigJson().WithAddedModifier(KeepDefaults),
    };

    private static JsonStringEnumConverter<TEnum> InCamelCase<TEnum>()
        where TEnum : struct, Enum => new(JsonNamingPolicy.CamelCase, allowIntegerValues: false);

    /// <summary>
    /// Generated code sets every init-only property when it makes an object, those that the file does not name to nothing. Here the object
    /// is made first, with the defaults of its type, and then what the file names is set.
    /// </summary>
    private static void KeepDefaults(JsonTypeInfo type)
    {
        if (type is not { Kind: JsonTypeInfoKind.Object, ConstructorAttributeProvider: ConstructorInfo constructor }
            || constructor.GetParameters().Length > 0)
            return;
        type.CreateObject = () => constructor.Invoke(BindingFlags.DoNotWrapExceptions, binder: null, parameters: null, culture: null);
        foreach (var property in type.Properties)
            if (property is { Set: not null, AttributeProvider: PropertyInfo { CanWrite: true } member })
                property.Set = (owner, value) => member.SetValue(owner, value, BindingFlags.DoNotWrapExceptions, binder: null, index: null, culture: null);
    }
}
