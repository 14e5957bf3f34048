namespace Samples.Tests;

public class DocPairsTests
{
    [Fact]
    public void Half_of_the_pairs_are_true_and_the_others_come_from_the_same_namespace()
    {
        DocMember[] members =
        [
            .. Enumerable.Range(0, 400).Select(n => Member($"M:A.B.T{n % 7}.M{n}", "A.B.T", $"Does thing {n} of A.", $"What thing {n} of A gave.")),
            .. Enumerable.Range(0, 400).Select(n => Member($"M:C.D.T{n % 7}.M{n}", "C.D.T", $"Does thing {n} of C.", $"What thing {n} of C gave.")),
        ];
        var pairs = DocPairs.Of(members);
        Assert.Equal(members.Length, pairs.Count);
        Assert.InRange(pairs.Count(pair => pair.Label == DocPairs.Same), 320, 480);
        Assert.All(pairs, pair => Assert.Equal(Owner(pair.Sentence1), Owner(pair.Sentence2)));
        Assert.All(pairs, pair => Assert.Equal(pair.Label == DocPairs.Same, Thing(pair.Sentence1) == Thing(pair.Sentence2)));

        static string Owner(string text) => text.Contains("of A", StringComparison.Ordinal) ? "A" : "C";
        static string Thing(string text) => text.Split(' ').Single(word => int.TryParse(word, out _));
    }

    [Fact]
    public void A_text_that_is_true_of_the_same_summary_is_never_another_one()
    {
        // Two overloads with one summary: what the other returns belongs to the summary too.
        DocMember[] members =
        [
            Member("M:A.B.T.M(System.Int32)", "A.B.T", "Does the same thing.", "The first result of it."),
            Member("M:A.B.T.M(System.String)", "A.B.T", "Does the same thing.", "The second result of it."),
        ];
        Assert.Empty(DocPairs.Of(members));
        var third = Member("M:A.B.T.N", "A.B.T", "Does another thing.", "The third result of it.");
        Assert.All(
            DocPairs.Of([.. members, third]).Where(pair => pair.Label == DocPairs.Other && pair.Sentence1 == "Does the same thing."),
            pair => Assert.Equal("The third result of it.", pair.Sentence2));
    }

    [Fact]
    public void Members_that_return_nothing_and_repetitions_stay_out()
    {
        DocMember[] members =
        [
            Member("M:A.B.T.M", "A.B.T", "Does a thing.", "What that gave back."),
            Member("M:A.B.U.M", "A.B.U", "Does a thing.", "What that gave back."),
            Member("M:A.B.T.N", "A.B.T", "Does another thing.", "What else it gave."),
            new("P:A.B.T.P", "A.B.T", ["Is a property of it."], []),
        ];
        Assert.Equal(["Does a thing.", "Does another thing."], DocPairs.Of(members).Select(pair => pair.Sentence1));
    }

    [Fact]
    public void The_documentation_of_the_installed_SDK_gives_a_task()
    {
        var split = DocPairs.Load(ReferencePacks.DocumentationFiles());
        Assert.True(split.Train.Count > 5000 && split.Validation.Count > 300 && split.Test.Count > 1000);
        DocPair[] all = [.. split.Train, .. split.Validation, .. split.Test];
        Assert.InRange(all.Count(pair => pair.Label == DocPairs.Same) / (double)all.Length, 0.45, 0.55);
        Assert.Empty(split.Train.Select(pair => pair.Type).Intersect(split.Test.Select(pair => pair.Type)));
    }

    private static DocMember Member(string id, string type, string summary, string returns) => new(id, type, [summary], [returns]);
}
