using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Rows;

/// <summary>How a row becomes a prompt; kept in a model's files.</summary>
/// <param name="Template">Text of the <see cref="PromptTemplate"/>.</param>
/// <param name="UsesChatTemplate">Whether the prompt is a user's turn in the conversation format of the model's own files.</param>
/// <param name="SystemPrompt">What such a conversation begins with; null for nothing.</param>
/// <param name="Windows">How a longer prompt is read; null cuts it.</param>
internal sealed record PromptSettings(
    string Template,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool UsesChatTemplate = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? SystemPrompt = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ContextWindows? Windows = null)
{
    /// <summary>Checks that the prompt can be made.</summary>
    /// <exception cref="ArgumentException">
    /// The template cannot be read, or windows are to be cut out of a column that it does not name.
    /// </exception>
    public void Check()
    {
        var template = PromptTemplate.Parse(Template);
        if (Windows?.ColumnName is { } column && !template.Columns.Contains(column))
        {
            throw new ArgumentException(
                $"{nameof(ContextWindows)}.{nameof(ContextWindows.ColumnName)} is '{column}', which the prompt \"{Template}\" does not name.",
                nameof(Windows));
        }
    }

    /// <summary>Makes prompts of rows.</summary>
    /// <param name="generator">The model's files.</param>
    /// <param name="maximumTokens">Longest prompt, special tokens counted; null for any.</param>
    /// <exception cref="ArgumentException">The template cannot be read.</exception>
    /// <exception cref="InvalidDataException">The model's files have no conversation format, or none that is known.</exception>
    public PromptEncoder CreateEncoder(TextGenerator generator, int? maximumTokens) =>
        new(generator, PromptTemplate.Parse(Template), maximumTokens, Windows, ChatOf(generator), SystemPrompt);

    /// <summary>The conversation format; null where there is none.</summary>
    /// <param name="generator">The model's files.</param>
    /// <exception cref="InvalidDataException">The files have no format, or none that is known.</exception>
    public ChatTemplate? ChatOf(TextGenerator generator) =>
        UsesChatTemplate ? ChatTemplateFile.Read(generator.Files.Tokenizer.Files, "The model") : null;
}
