using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;
using MoeTool.Data;
using MoeTool.Settings;
using Spectre.Console.Cli;

namespace MoeTool.Commands;

/// <summary>Embeds the texts of a table.</summary>
internal sealed class EmbedCommand(ToolConsole console) : Command<EmbedSettings>
{
    private const string Text = "Text";
    private const string Embedding = "Embedding";

    public override int Execute(CommandContext context, EmbedSettings settings, CancellationToken cancellationToken)
    {
        var outFile = OutputFile.Prepare(settings.Out, "--out")!;
        var ml = new MLContext();
        var rows = DelimitedFile.Open(settings.In).Load(ml, new SourceColumn(settings.Text, Text, "--text"));
        using var embedder = ml.Transforms.Text
            .EmbedText(Embedding, Text, settings.Published, settings.ToOptions(settings.PromptName, settings.Prompt))
            .Fit(rows);
        var embeddings = Read(embedder.Transform(rows), cancellationToken);
        var count = Path.GetExtension(outFile).Equals(".safetensors", StringComparison.OrdinalIgnoreCase)
            ? WriteTensor(outFile, embeddings, embedder.Width)
            : WriteLines(outFile, embeddings, embedder.Width);
        console.Line(FormattableString.Invariant($"{count} embeddings of {embedder.Width} numbers: {outFile}"));
        return 0;
    }

    private static IEnumerable<(string Text, float[] Embedding)> Read(IDataView rows, CancellationToken stop)
    {
        var (text, embedding) = (rows.Schema[Text], rows.Schema[Embedding]);
        using var cursor = rows.GetRowCursor([text, embedding]);
        var (textOf, embeddingOf) = (cursor.GetGetter<ReadOnlyMemory<char>>(text), cursor.GetGetter<VBuffer<float>>(embedding));
        ReadOnlyMemory<char> words = default;
        VBuffer<float> numbers = default;
        while (cursor.MoveNext())
        {
            stop.ThrowIfCancellationRequested();
            textOf(ref words);
            embeddingOf(ref numbers);
            yield return (words.ToString(), [.. numbers.DenseValues()]);
        }
    }

    private static int WriteTensor(string file, IEnumerable<(string Text, float[] Embedding)> embeddings, int width)
    {
        var rows = embeddings.Select(e => e.Embedding).ToList();
        using var stream = File.Create(file);
        SafeTensors.Write(stream, [new NamedValues("embeddings", [rows.Count, width], [.. rows.SelectMany(row => row)])]);
        return rows.Count;
    }

    private static int WriteLines(string file, IEnumerable<(string Text, float[] Embedding)> embeddings, int width)
    {
        var count = 0;
        using var writer = new StreamWriter(file) { NewLine = "\n" };
        writer.WriteLine(string.Join('\t', Enumerable.Range(0, width).Select(i => FormattableString.Invariant($"{i}")).Prepend(Text)));
        foreach (var (text, embedding) in embeddings)
        {
            count++;
            writer.Write(Predictions.Field(text));
            foreach (var number in embedding)
                writer.Write(FormattableString.Invariant($"\t{number:R}"));
            writer.WriteLine();
        }

        return count;
    }
}

/// <summary>Tells what an encoder's embeddings are worth.</summary>
internal sealed class EvaluateEmbeddingsCommand(ToolConsole console) : Command<EvaluateEmbeddingsSettings>
{
    private const string Query = "query";
    private const string Document = "document";
    private readonly MLContext _ml = new();
    private EvaluateEmbeddingsSettings _settings = new();

    public override int Execute(CommandContext context, EvaluateEmbeddingsSettings settings, CancellationToken cancellationToken)
    {
        _settings = settings;
        object result = settings.Task switch
        {
            EmbeddingTask.Classification => EmbeddingEvaluation.Classification(
                Embedded(Needed(settings.Train, "--train"), null, Label), Embedded(settings.Data, null, Label),
                cancellationToken: cancellationToken),
            EmbeddingTask.Clustering => EmbeddingEvaluation.Clustering(
                Embedded(settings.Data, null, [Label, .. settings.Set is { } set ? [new SourceColumn(set, "Set", "--set")] : Array.Empty<SourceColumn>()]),
                setColumnName: settings.Set is null ? null : "Set",
                cancellationToken: cancellationToken),
            EmbeddingTask.Sts => EmbeddingEvaluation.TextSimilarity(Pairs(), cancellationToken: cancellationToken),
            EmbeddingTask.Pairs => EmbeddingEvaluation.PairClassification(Pairs(), cancellationToken: cancellationToken),
            EmbeddingTask.Reranking => EmbeddingEvaluation.Reranking(
                Embedded(Needed(settings.Queries, "--queries"), Query, QueryId),
                WithNumbers(Embedded(settings.Data, Document, QueryId, Label)),
                cancellationToken: cancellationToken),
            EmbeddingTask.Retrieval => EmbeddingEvaluation.Retrieval(
                Embedded(Needed(settings.Queries, "--queries"), Query, QueryId),
                Embedded(Needed(settings.Documents, "--documents"), Document, DocumentId),
                WithNumbers(DelimitedFile.Open(settings.Data).Load(_ml, QueryId, DocumentId, Label)),
                cancellationToken: cancellationToken),
            _ => EmbeddingEvaluation.Summarization(
                WithNumbers(Embedded(settings.Data, null, TextId, Label)),
                Embedded(Needed(settings.Human, "--human"), null, TextId),
                cancellationToken: cancellationToken),
        };
        console.Line(result.ToString()!);
        return 0;
    }

    private SourceColumn Label => new(_settings.Label, "Label", "--label");

    private SourceColumn QueryId => new(_settings.QueryId, "QueryId", "--query-id");

    private SourceColumn DocumentId => new(_settings.DocumentId, "DocumentId", "--document-id");

    private SourceColumn TextId => new(_settings.TextId, "TextId", "--text-id");

    private string Needed(string? file, string option) =>
        file ?? throw new UserException($"--task {_settings.Task.ToString().ToLowerInvariant()} needs {option}.");

    /// <summary>A table with an embedding of its texts.</summary>
    private IDataView Embedded(string file, string? promptName, params SourceColumn[] columns)
    {
        var rows = DelimitedFile.Open(file).Load(_ml, [new SourceColumn(_settings.Text, "Text", "--text"), .. columns]);
        return Embed(rows, "Embedding", "Text", promptName);
    }

    private IDataView Pairs()
    {
        var rows = DelimitedFile.Open(_settings.Data).Load(
            _ml, new SourceColumn(_settings.Text, "Text", "--text"), new SourceColumn(_settings.Text2, "Text2", "--text2"), Label);
        return WithNumbers(Embed(Embed(rows, "Embedding1", "Text", null), "Embedding2", "Text2", null));
    }

    private IDataView Embed(IDataView rows, string output, string input, string? promptName) =>
        _ml.Transforms.Text.EmbedText(output, input, _settings.Published, _settings.ToOptions(promptName)).Fit(rows).Transform(rows);

    private IDataView WithNumbers(IDataView rows) =>
        _ml.Transforms.Conversion.ConvertType("Label", outputKind: DataKind.Single).Fit(rows).Transform(rows);
}
