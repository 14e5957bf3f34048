using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Makes the ids that a model reads of the texts of a row. Safe to use from several threads.</summary>
internal sealed class PromptEncoder
{
    // where a text is cut, the tokens around the cut may be others than in the whole
    private const int TokensOfCuts = 2;

    private readonly TextGenerator _generator;
    private readonly ContextWindows? _windows;
    private readonly ChatTemplate? _chat;
    private readonly string? _systemPrompt;
    private readonly int? _maximumTokens;
    private readonly int _windowColumn;

    /// <summary>Creates it.</summary>
    /// <param name="generator">Tokenizer and defaults.</param>
    /// <param name="template">The prompt's words and columns.</param>
    /// <param name="maximumTokens">Longest prompt, special tokens counted; null for any.</param>
    /// <param name="windows">How a longer prompt is read; null cuts it.</param>
    /// <param name="chat">The conversation format; null where there is none.</param>
    /// <param name="systemPrompt">What conversations begin with; null for nothing.</param>
    public PromptEncoder(
        TextGenerator generator,
        PromptTemplate template,
        int? maximumTokens = null,
        ContextWindows? windows = null,
        ChatTemplate? chat = null,
        string? systemPrompt = null)
    {
        (_generator, Template, _maximumTokens, _windows) = (generator, template, maximumTokens, windows);
        (_chat, _systemPrompt) = (chat, systemPrompt);
        _windowColumn = windows?.ColumnName is { } name ? template.Columns.ToList().IndexOf(name) : -1;
    }

    /// <summary>The prompt's words and columns.</summary>
    public PromptTemplate Template { get; }

    /// <summary>Whether all windows of a row are learned from, whatever they hold.</summary>
    public bool LearnsFromAll => _windows?.LearnsFromAll == true;

    /// <summary>Encodes a row: its first window, with the others in <see cref="EncodedText.FurtherWindows"/>.</summary>
    /// <param name="values">Texts of the template's columns.</param>
    public EncodedText Encode(IReadOnlyList<string> values)
    {
        if (_windows is null)
            return EncodeText(Template.Format(values));
        EncodedText[] windows = [.. Windows(values).Select(window => window.Prompt)];
        return windows is [var only] ? only : windows[0].WithWindows(windows[1..]);
    }

    /// <summary>Encodes a whole prompt; one that is too long is cut, of a causal model at its beginning.</summary>
    /// <param name="text">What the template makes of a row.</param>
    /// <exception cref="ArgumentException">The prompt has no tokens, or the conversation around it leaves no room for any.</exception>
    public EncodedText EncodeText(string text) => _chat is null ? _generator.Encode(text, _maximumTokens) : EncodeTurn(text);

    /// <summary>The windows of a row, with the text that each shows.</summary>
    /// <param name="values">Texts of the template's columns.</param>
    public IReadOnlyList<(EncodedText Prompt, string Text)> Windows(IReadOnlyList<string> values)
    {
        var whole = Template.Format(values);
        if (_windows is not { } windows || _maximumTokens is not { } most)
            return [(EncodeText(whole), whole)];
        var text = _windowColumn < 0 ? whole : values[_windowColumn];
        var frame = _windowColumn < 0 ? "" : Around("");
        var room = most - (_windowColumn < 0 ? _generator.Files.Tokenizer.SpecialTokens(isPair: false) : LengthOf(frame) + TokensOfCuts);
        if (room <= windows.Overlap)
        {
            throw new InvalidOperationException(
                $"Beside {most - room} other tokens a window of {most} has room for {Math.Max(0, room)}, not more than the {windows.Overlap} "
                + "that it has in common with the one before: raise the longest source, or lower "
                + $"{nameof(ContextWindows)}.{nameof(ContextWindows.Overlap)}.");
        }

        var offsets = OffsetsOf(text);
        if (offsets.Length <= room)
            return [(EncodeText(whole), whole)];
        var result = new List<(EncodedText, string)>();
        for (var start = 0; ; start += room - windows.Overlap)
        {
            var end = Math.Min(start + room, offsets.Length);
            var shown = text[offsets[start].Start..offsets[end - 1].End];
            result.Add((EncodeText(_windowColumn < 0 ? shown : Around(shown)), shown));
            if (end == offsets.Length)
                return result;
        }

        string Around(string shown) => Template.Format([.. values.Select((value, i) => i == _windowColumn ? shown : value)]);
    }

    private (int Start, int End)[] OffsetsOf(string text) => _generator.Files.Tokenizer.Inner.Encode(text, addSpecialTokens: false).Offsets;

    private int LengthOf(string text) => _generator.Encode(text).Length;

    // a turn is shortened within the conversation around it, which has to stay whole
    private EncodedText EncodeTurn(string text)
    {
        var cut = 0;
        for (var left = text; ;)
        {
            var ids = _generator.EncodeWhole(_chat!.Format(_systemPrompt is { } system
                ? [new ChatTurn(ChatTurn.System, system), new ChatTurn(ChatTurn.User, left)]
                : [new ChatTurn(ChatTurn.User, left)]));
            if (_maximumTokens is not { } most || ids.Length <= most)
                return new EncodedText(new TokenIds(ids), cut, isEmpty: text.Length == 0);
            var offsets = OffsetsOf(left);
            var excess = Math.Min(ids.Length - most, offsets.Length);
            if (excess == 0)
            {
                throw new ArgumentException(
                    $"The conversation around a prompt has {ids.Length} tokens, and {most} are the most: raise the longest prompt, or shorten "
                    + "the system prompt.",
                    nameof(text));
            }

            cut += excess;
            left = excess < offsets.Length ? left[offsets[excess].Start..] : "";
        }
    }
}
