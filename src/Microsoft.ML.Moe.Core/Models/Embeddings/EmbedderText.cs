using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Models.Embeddings;

/// <summary>What is done to a text before the tokenizer reads it, and what else a folder says of its embeddings.</summary>
/// <param name="Prompt">Put before each text as it is.</param>
/// <param name="Lowercase">Whether it is lower-cased then, as Python does.</param>
/// <param name="IncludesPrompt">Whether a prompt's tokens take part in pooling.</param>
/// <param name="Prompts">Texts to put before a text, by name.</param>
/// <param name="DefaultPromptName">Name of the prompt of texts that are neither queries nor documents; null for none.</param>
/// <param name="Similarity">How embeddings are compared.</param>
internal sealed record EmbedderText(
    string Prompt,
    bool Lowercase,
    bool IncludesPrompt,
    IReadOnlyDictionary<string, string> Prompts,
    string? DefaultPromptName,
    string Similarity)
{
    /// <summary>A text as the tokenizer reads it.</summary>
    public string Of(string text)
    {
        var prompted = Prompt.Length == 0 ? text : Prompt + text;
        return Lowercase ? PythonText.Lower(prompted) : prompted;
    }
}
