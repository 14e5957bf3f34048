using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace Microsoft.ML.Moe.Reports;

/// <summary>
/// Collects HTML from interpolated strings: their literal parts are markup, and all that is put into them is text, which is encoded.
/// So nothing that a report holds can become markup.
/// </summary>
internal sealed class HtmlWriter
{
    private static readonly HtmlEncoder Encoder = HtmlEncoder.Create(UnicodeRanges.All);
    private readonly StringBuilder _html = new();

    /// <summary>Adds markup with encoded text in it, and ends the line.</summary>
    public void Line([InterpolatedStringHandlerArgument("")] ref Markup markup) => _html.Append('\n');

    /// <summary>Adds text, encoded.</summary>
    public void Text(string text) => _html.Append(Encoder.Encode(text));

    /// <summary>Adds what is HTML already.</summary>
    public void Raw(string html) => _html.Append(html);

    /// <inheritdoc/>
    public override string ToString() => _html.ToString();

    /// <summary>Receives the parts of an interpolated string.</summary>
    [InterpolatedStringHandler]
    public readonly ref struct Markup(int literalLength, int formattedCount, HtmlWriter writer)
    {
        private readonly StringBuilder _html = writer.Grow(literalLength + formattedCount * 8);

        public void AppendLiteral(string markup) => _html.Append(markup);

        public void AppendFormatted<T>(T value) =>
            _html.Append(Encoder.Encode(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
    }

    private StringBuilder Grow(int by)
    {
        _html.EnsureCapacity(_html.Length + by);
        return _html;
    }
}
