using System.Xml;

namespace Samples.Tests;

public class DocSentencesTests
{
    private const string Doc = """
        <?xml version="1.0"?>
        <doc>
          <assembly><name>Some</name></assembly>
          <members>
            <member name="T:System.Net.Http.Headers.Cookie">
              <summary>
                Stands for one <see cref="T:System.Net.Http.Headers.Cookie" /> of a site. Too short. It has a name and a value.
              </summary>
              <remarks>These remarks are not read at all.</remarks>
            </member>
            <member name="M:System.Net.Http.Headers.Cookie.Parse(System.String,System.Range)">
              <summary>Reads <paramref name="text" /> as a cookie.</summary>
              <param name="text">This parameter is not read either.</param>
            </member>
            <member name="T:System.Console"><summary>Talks to whoever is there.</summary></member>
            <member name="T:System.Console.Mode"><summary>How it talks to them.</summary></member>
            <member name="F:System.Console.Mode.Loud"><summary>In capital letters and quickly.</summary></member>
            <member name="T:System.Runtime.Intrinsics.X86.Avx"><summary>Adds eight numbers at once.</summary></member>
            <member name="T:Global"><summary>In no namespace at all.</summary></member>
            <member name="M:System.Empty.Member"><inheritdoc /></member>
            <member name="P:System.Odd.Value"><summary /></member>
          </members>
        </doc>
        """;

    [Fact]
    public void Sentences_carry_the_first_two_segments_of_the_namespace_and_the_outermost_type() =>
        Assert.Equal(
            [
                new("System.Net", "System.Net.Http.Headers.Cookie", "Stands for one Cookie of a site."),
                new("System.Net", "System.Net.Http.Headers.Cookie", "It has a name and a value."),
                new("System.Net", "System.Net.Http.Headers.Cookie", "Reads text as a cookie."),
                new("System", "System.Console", "Talks to whoever is there."),
                new("System", "System.Console", "How it talks to them."),
                new("System", "System.Console", "In capital letters and quickly."),
            ],
            Read(Doc));

    [Fact]
    public void A_sentence_counts_once_and_under_one_label_only()
    {
        DocSentence[] sentences =
        [
            new("A.B", "A.B.X", "Gets the name of it."),
            new("A.B", "A.B.Y", "Gets the name of it."),
            new("A.B", "A.B.X", "Gets the number of rows."),
            new("C.D", "C.D.Z", "gets the number of rows"),
            new("C.D", "C.D.Z", "Gets the colour of it."),
        ];
        Assert.Equal([sentences[0], sentences[4]], DocSentences.Unambiguous(sentences));
    }

    [Fact]
    public void Small_labels_are_left_out()
    {
        DocSentence[] sentences = [new("A", "A.X", "1"), new("B", "B.X", "2"), new("A", "A.Y", "3")];
        Assert.Equal([sentences[0], sentences[2]], DocSentences.WithEnoughSentences(sentences, 2));
    }

    [Fact]
    public void The_split_is_by_type_and_the_same_everywhere()
    {
        DocSentence[] sentences =
        [
            .. from type in Enumerable.Range(0, 2000)
               from number in Enumerable.Range(0, 3)
               select new DocSentence("N", $"N.Type{type}", $"Sentence {number} about type {type}."),
        ];
        var split = DocSplit.ByType(sentences, s => s.Type);
        Assert.Equal(sentences.Length, split.Train.Count + split.Validation.Count + split.Test.Count);
        AssertDisjoint(split);
        Assert.InRange(split.Test.Count / 6000.0, 0.17, 0.23);
        Assert.InRange(split.Validation.Count / 4800.0, 0.07, 0.13);

        // The hash is fixed: another machine, another run, another order gives the same parts.
        var again = DocSplit.ByType(sentences.Reverse(), s => s.Type);
        Assert.Equal(split.Test.ToHashSet(), again.Test.ToHashSet());
        Assert.Equal(["N.Type6", "N.Type8", "N.Type9"], split.Test.Select(s => s.Type).Distinct().Take(3));
    }

    [Fact]
    public void Types_that_differ_only_in_their_type_parameters_stay_together()
    {
        var sentences = Enumerable.Range(0, 17).Select(n => new DocSentence("System", n == 0 ? "System.Func" : $"System.Func`{n}", $"{n}"));
        var split = DocSplit.ByType(sentences, s => s.Type);
        Assert.Contains(17, new[] { split.Train.Count, split.Validation.Count, split.Test.Count });
    }

    [Fact]
    public void The_documentation_of_the_installed_SDK_gives_a_task()
    {
        var split = DocSentences.Load(ReferencePacks.DocumentationFiles());
        AssertDisjoint(split);
        DocSentence[] all = [.. split.Train, .. split.Validation, .. split.Test];
        Assert.InRange(all.Select(s => s.Label).Distinct().Count(), 15, 40);
        Assert.True(all.Length > 20_000);
        Assert.All(all.CountBy(s => s.Label), label => Assert.True(label.Value >= 400, label.Key));
        Assert.All(all.GroupBy(s => s.Text), same => Assert.Single(same));
        Assert.DoesNotContain(all, s => s.Type.StartsWith("System.Runtime.Intrinsics.", StringComparison.Ordinal));
        Assert.All(all, s => Assert.False(s.Text.Any(char.IsControl), s.Text));
        Assert.All(all, s => Assert.True(DocText.Words(s.Text) >= 4, s.Text));
    }

    private static void AssertDisjoint(DocSplit<DocSentence> split)
    {
        HashSet<string> train = Types(split.Train), validation = Types(split.Validation), test = Types(split.Test);
        Assert.False(train.Overlaps(test) || train.Overlaps(validation) || validation.Overlaps(test));

        static HashSet<string> Types(IEnumerable<DocSentence> sentences) => sentences.Select(s => s.Type).ToHashSet();
    }

    private static IEnumerable<DocSentence> Read(string document)
    {
        using var reader = XmlReader.Create(new StringReader(document));
        return DocSentences.Of(DocMember.Read(reader));
    }
}
