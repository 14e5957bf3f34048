using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace MoeTool.Tests;

/// <summary><c>embed</c> and <c>evaluate-embeddings</c>, with an encoder of random weights.</summary>
public sealed class EmbedTests : FolderTests
{
    private const string Header = "Label\tSentence\n";
    private readonly string _encoder;

    public EmbedTests()
    {
        _encoder = Path.Combine(Folder, "encoder");
        TinyPublished.Write(_encoder, TinyPublished.Bert);
        TinyPublished.WriteTokenizer(_encoder);
    }

    [Fact]
    public void LinesAndTensorHoldTheSameNumbers()
    {
        var texts = Write("texts.tsv", Header + "a\train\nb\tsun and\nc\tstorm\n");
        var (lines, tensor) = (Path.Combine(Folder, "out", "vectors.tsv"), Path.Combine(Folder, "vectors.safetensors"));
        Assert.Contains("3 embeddings of 16 numbers", Embed(texts, lines), StringComparison.Ordinal);
        Embed(texts, tensor);

        var rows = File.ReadAllLines(lines).Select(line => line.Split('\t')).ToList();
        Assert.Equal(["Text", "rain", "sun and", "storm"], rows.Select(row => row[0]));
        using var files = TensorFiles.Open(tensor);
        var embeddings = files.Tensors["embeddings"];
        Assert.Equal([3, 16], embeddings.Shape);
        var values = new float[48];
        files.Read(embeddings, 0, values);
        Assert.Equal(values, rows.Skip(1).SelectMany(row => row.Skip(1)).Select(number => float.Parse(number, CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void EveryTaskGivesItsScores()
    {
        var rows = string.Concat(Enumerable.Range(0, 40).Select(i => i % 2 == 0 ? $"one\t{new string('a', 1 + (i % 5))}\n" : $"two\t{new string('z', 1 + (i % 5))}\n"));
        var texts = Write("texts.tsv", Header + rows);
        var pairs = Write("pairs.tsv", "Label\tSentence\tText2\n1\train\train\n0\train\tzzz\n1\tsun\tsun\n0\tq\tstorm\n");
        var queries = Write("queries.tsv", "QueryId\tSentence\nq1\train\nq2\tsun\n");
        var candidates = Write("candidates.tsv", "QueryId\tSentence\tLabel\nq1\train\t1\nq1\tzz\t0\nq2\tq\t0\nq2\tsun\t1\n");
        var documents = Write("documents.tsv", "DocumentId\tSentence\nd1\train\nd2\tsun\nd3\tzz\n");
        var judgments = Write("judgments.tsv", "QueryId\tDocumentId\tLabel\nq1\td1\t1\nq2\td2\t2\n");
        var machine = Write("machine.tsv", "TextId\tSentence\tLabel\nt\train\t3\nt\tzz\t1\nt\trai\t2\n");
        var human = Write("human.tsv", "TextId\tSentence\nt\train\n");
        Assert.StartsWith("Classification", Evaluate("classification", texts, "--train", texts), StringComparison.Ordinal);
        Assert.StartsWith("Clustering", Evaluate("clustering", texts), StringComparison.Ordinal);
        Assert.Contains("pairs", Evaluate("sts", pairs), StringComparison.OrdinalIgnoreCase);
        Assert.NotEmpty(Evaluate("pairs", pairs));
        Assert.Contains("1.0000", Evaluate("reranking", candidates, "--queries", queries), StringComparison.Ordinal);
        Assert.Contains("nDCG@10 1.0000", Evaluate("retrieval", judgments, "--queries", queries, "--documents", documents), StringComparison.Ordinal);
        Assert.NotEmpty(Evaluate("summarisation", machine, "--human", human));
    }

    [Fact]
    public void WhatIsMissingIsNamed()
    {
        var texts = Write("texts.tsv", Header + "a\train\nb\tsun\n");
        Assert.Contains("--train", Tool.Fail(1, "evaluate-embeddings", "--encoder", _encoder, "--task", "classification", "--data", texts, "--text", "Sentence"), StringComparison.Ordinal);
        Assert.Contains("nowhere", Tool.Fail(1, "embed", "--encoder", "nowhere", "--in", texts, "--out", Path.Combine(Folder, "o.tsv")), StringComparison.Ordinal);
        Assert.Contains("'Text'", Tool.Fail(1, "embed", "--encoder", _encoder, "--in", texts, "--out", Path.Combine(Folder, "o.tsv")), StringComparison.Ordinal);
        Assert.Contains("clustering", Tool.Fail(2, "evaluate-embeddings", "--encoder", _encoder, "--task", "nonsense", "--data", texts), StringComparison.Ordinal);
    }

    private string Embed(string texts, string file) =>
        Tool.Run("embed", "--encoder", _encoder, "--in", texts, "--text", "Sentence", "--out", file, "--device", "cpu");

    private string Evaluate(string task, string data, params string[] more) => Tool.Run(
        ["evaluate-embeddings", "--encoder", _encoder, "--task", task, "--data", data, "--text", "Sentence", "--device", "cpu", .. more]);
}
