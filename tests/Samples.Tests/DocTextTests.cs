using System.Xml;

namespace Samples.Tests;

public class DocTextTests
{
    [Theory]
    [InlineData("T:System.IO.File", "File")]
    [InlineData("T:System.Collections.Generic.List`1", "List")]
    [InlineData("M:System.IO.File.Open(System.String,System.IO.FileMode)", "Open")]
    [InlineData("M:System.Array.Find``1(``0[],System.Predicate{``0})", "Find")]
    [InlineData("M:System.Version.#ctor(System.String)", "Version")]
    [InlineData("M:System.String.System#IComparable#CompareTo(System.Object)", "CompareTo")]
    [InlineData("M:System.Version.op_Equality(System.Version,System.Version)", "Equality")]
    [InlineData("P:System.String.Length", "Length")]
    [InlineData("N:System.IO", "System.IO")]
    [InlineData("System.IO.File", "File")]
    [InlineData("", "")]
    public void A_reference_becomes_the_name_that_a_reader_sees(string id, string name) => Assert.Equal(name, DocText.Name(id));

    [Theory]
    [InlineData("<see cref=\"T:System.IO.File\"/> is static.", "File is static.")]
    [InlineData("<see cref=\"T:System.IO.File\">a file</see> is static.", "a file is static.")]
    [InlineData("Is <see langword=\"null\"/> if <paramref name=\"x\" /> of <typeparamref name=\"T\"/> is.", "Is null if x of T is.")]
    [InlineData("The <c>using</c> keyword and <code>await</code> too.", "The using keyword and await too.")]
    [InlineData("An <xref uid=\"System.IO.File.Open%2A\" data-throw-if-not-resolved=\"true\"/> call.", "An Open call.")]
    [InlineData("Is <b>not</b> <a href=\"x\">here</a>.", "Is not here.")]
    [InlineData("Text &lt;tag&gt; and <![CDATA[a < b]]>.", "Text <tag> and a < b.")]
    [InlineData("  one\n      two\tthree  ", "one two three")]
    [InlineData("one<para>two</para>three", "one|two|three")]
    [InlineData("one<br/>two", "one|two")]
    [InlineData("one <list><item><term>two</term><description>three</description></item></list> four", "one|two|three|four")]
    [InlineData("a is null. <para>-or-</para> b is null. -or- c is null.", "a is null.|b is null.|c is null.")]
    [InlineData("Run this: <code>\nvar x = 1;\nx++;\n</code> Then that.", "Run this:|Then that.")]
    [InlineData("Run <code>first <para>second</para> third</code> now <code/>.", "Run first|second|third now .")]
    [InlineData("before <example>not this <see cref=\"T:A\"/></example>after", "before after")]
    [InlineData("", "")]
    public void Tags_become_plain_words_and_blocks_become_passages(string content, string passages)
    {
        using var reader = XmlReader.Create(new StringReader($"<summary>{content}</summary>"));
        reader.MoveToContent();
        Assert.Equal(passages, string.Join('|', DocText.Read(reader)));
        Assert.True(reader.NodeType == XmlNodeType.EndElement || reader.IsEmptyElement);
        Assert.Equal("summary", reader.Name);
    }

    [Theory]
    [InlineData("One here. Two there! Three? four.", "One here.|Two there!|Three?|four.")]
    [InlineData("Uses a format, e.g. JSON, i.e. text vs. bytes.", "Uses a format, e.g. JSON, i.e. text vs. bytes.")]
    [InlineData("Any of them (e.g. JSON). Another.", "Any of them (e.g. JSON).|Another.")]
    [InlineData("Since version 4.5. Uses System.IO.File of .NET 10.0.", "Since version 4.5.|Uses System.IO.File of .NET 10.0.")]
    [InlineData("He said \"stop.\" Then (it did.) End", "He said \"stop.\"|Then (it did.)|End")]
    [InlineData("And so on... until the end.", "And so on... until the end.")]
    [InlineData("No end", "No end")]
    public void Passages_are_split_where_a_sentence_ends(string passage, string sentences) =>
        Assert.Equal(sentences, string.Join('|', DocText.Sentences(passage)));

    [Theory]
    [InlineData("Gets the length.", 3)]
    [InlineData("x = - 1", 2)]
    [InlineData("", 0)]
    public void Words_have_a_letter_or_a_digit(string sentence, int words) => Assert.Equal(words, DocText.Words(sentence));
}
