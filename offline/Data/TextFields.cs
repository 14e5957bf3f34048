using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.Offline;

/// <summary>Splits a line into fields; only as many as are needed.</summary>
internal sealed class TextFields
{
    private readonly char[] _separators;
    private readonly bool _quoting;
    private readonly bool _skipSpaces;
    private readonly StringBuilder _quoted = new();
    private int _next;

    internal TextFields(TextLoader.Options options, int needed)
    {
        _separators = options.Separators;
        _quoting = options.AllowQuoting;
        _skipSpaces = !_separators.Contains(' ');
        Fields = new ReadOnlyMemory<char>[needed];
    }

    internal ReadOnlyMemory<char>[] Fields { get; }

    internal void Split(ReadOnlyMemory<char> line)
    {
        _next = 0;
        var field = 0;
        for (var more = true; more && field < Fields.Length; field++)
            Fields[field] = Next(line, out more);
        Array.Clear(Fields, field, Fields.Length - field);
    }

    private ReadOnlyMemory<char> Next(ReadOnlyMemory<char> line, out bool more)
    {
        var text = line.Span;
        while (_skipSpaces && _next < text.Length && text[_next] == ' ')
            _next++;
        ReadOnlyMemory<char> field;
        if (_quoting && _next < text.Length && text[_next] == '"')
        {
            field = Quoted(text);
        }
        else
        {
            var length = text[_next..].IndexOfAny(_separators);
            field = length < 0 ? line[_next..] : line.Slice(_next, length);
            _next += field.Length;
        }

        more = _next < text.Length;
        _next++;
        return field;
    }

    /// <summary>Two quotes inside stand for one; bad quoting makes the field empty.</summary>
    private ReadOnlyMemory<char> Quoted(ReadOnlySpan<char> text)
    {
        _quoted.Clear();
        var good = false;
        for (_next++; _next < text.Length; _next++)
        {
            if (text[_next] == '"' && (++_next >= text.Length || text[_next] != '"'))
            {
                good = true;
                break;
            }

            _quoted.Append(text[_next]);
        }

        for (; _next < text.Length && !_separators.Contains(text[_next]); _next++)
            good &= text[_next] == ' ';
        return good ? _quoted.ToString().AsMemory() : default;
    }
}
