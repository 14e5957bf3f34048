using Microsoft.Extensions.AI;
using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe;

/// <summary>Options of a chat as options of generation.</summary>
internal static class ChatGeneration
{
    /// <summary>Translates options.</summary>
    /// <param name="client">Who is asked.</param>
    /// <param name="options">The options; null for none.</param>
    /// <param name="generator">Its model, with the defaults.</param>
    /// <exception cref="ArgumentException">An option asks for what the model does not have; the message names it.</exception>
    public static GenerationOptions Of(IChatClient client, ChatOptions? options, MoeTextGenerationTransformer generator)
    {
        if (options is null)
            return generator.Generation;
        Refuse(options, generator.ModelName);
        var generation = options.RawRepresentationFactory?.Invoke(client) is GenerationOptions own
            ? generator.Generator.Complete(own)
            : generator.Generation;
        if (options.MaxOutputTokens is { } tokens)
            generation = generation with { MaximumNewTokens = tokens };
        if (options.StopSequences is { Count: > 0 } stops)
            generation = generation with { StopStrings = [.. generation.StopStrings, .. stops] };
        if (options.Seed is { } seed)
            generation = generation with { Seed = unchecked((int)(seed ^ (seed >> 32))) };
        if (options.TopP is { } p)
            generation = generation with { Sample = true, TopP = p };
        if (options.TopK is { } k)
            generation = generation with { Sample = true, TopK = k };
        return options.Temperature switch
        {
            null => generation,
            0f => generation with { Sample = false },
            { } temperature => generation with { Sample = true, Temperature = temperature },
        };
    }

    private static void Refuse(ChatOptions options, string model)
    {
        if (options.ModelId is { } other && other != model)
            throw new ArgumentException($"This client's model is {model}, not {other}.", nameof(options));
        var asked = options.Tools is { Count: > 0 } ? nameof(options.Tools)
            : options.ResponseFormat is not (null or ChatResponseFormatText) ? nameof(options.ResponseFormat)
            : options.ConversationId is not null ? nameof(options.ConversationId)
            : options.FrequencyPenalty is not (null or 0f) ? nameof(options.FrequencyPenalty)
            : options.PresencePenalty is not (null or 0f) ? nameof(options.PresencePenalty)
            : null;
        if (asked is not null)
            throw new ArgumentException($"{nameof(ChatOptions)}.{asked} is not supported by {nameof(MoeChatClient)}.", nameof(options));
    }
}
