using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// How a language model reads a conversation: the text that its turns become, up to where its answer begins. The formats of the published
/// families are known by marks in their <c>chat_template</c>; the template itself, a program, is not run.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var template = ChatTemplate.Read("models/OLMoE-1B-7B-0924-Instruct");
/// string prompt = template.Format([new ChatTurn(ChatTurn.User, "Where does the river bend?")]);
/// ]]></code>
/// </example>
public sealed class ChatTemplate
{
    private readonly Func<IReadOnlyList<ChatTurn>, string> _format;

    private ChatTemplate(string name, Func<IReadOnlyList<ChatTurn>, string> format, IEnumerable<string> endTokens) =>
        (Name, _format, EndTokens) = (name, format, [.. endTokens]);

    /// <summary>Name of the format.</summary>
    public string Name { get; }

    /// <summary>Tokens that end an answer, beside those that generation_config.json names.</summary>
    public IReadOnlyList<string> EndTokens { get; }

    /// <summary>Finds the format of a published model.</summary>
    /// <param name="pathOrName">
    /// Path of its folder, or name of a model on the hub, which is then looked for in the hub's cache folder.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such folder; the message says what to fetch.</exception>
    /// <exception cref="InvalidDataException">
    /// It has no chat_template, a damaged one, or one of a format that is not known here; the message says what to give instead.
    /// </exception>
    public static ChatTemplate Read(string pathOrName) => ChatTemplateFile.Read(PublishedFolder.Find(pathOrName));

    /// <summary>A format of one's own.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="format">Makes the text of turns, up to where the answer begins, with the beginning token that the model wants.</param>
    /// <param name="endTokens">Tokens that end an answer, beside those that generation_config.json names.</param>
    public static ChatTemplate Create(string name, Func<IReadOnlyList<ChatTurn>, string> format, params IEnumerable<string> endTokens)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(format);
        ArgumentNullException.ThrowIfNull(endTokens);
        return new ChatTemplate(name, format, endTokens);
    }

    /// <summary>The text of turns, up to where the answer begins. A tokenizer is to add no special tokens to it.</summary>
    /// <param name="turns">The turns, one at least.</param>
    /// <exception cref="ArgumentException">There is none, or the format has no place for one; the message says why.</exception>
    public string Format(IReadOnlyList<ChatTurn> turns)
    {
        ArgumentNullException.ThrowIfNull(turns);
        if (turns.Count == 0)
            throw new ArgumentException("The conversation has no turn.", nameof(turns));
        return _format(turns);
    }
}
