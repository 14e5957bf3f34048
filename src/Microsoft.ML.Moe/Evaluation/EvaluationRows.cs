namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Reads the tables that evaluations take, in one pass each.</summary>
internal static class EvaluationRows
{
    /// <summary>Embeddings that have a name: an id or a label.</summary>
    public static List<(string Name, float[] Embedding)> Named(
        IDataView data, string embeddingColumn, string nameColumn, string nameRole, string table, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var embedding = EvaluationColumns.Embeddings(data.Schema, embeddingColumn);
        var name = EvaluationColumns.Names(data.Schema, nameColumn, nameRole);
        return Read<(string, float[])>(
            data,
            [embedding, name],
            cursor =>
            {
                var readEmbedding = EvaluationColumns.EmbeddingReader(cursor, embedding);
                var readName = EvaluationColumns.NameReader(cursor, name);
                return () => (readName(), readEmbedding());
            },
            table,
            cancellation);
    }

    /// <summary>Labelled embeddings of sets; without a column of sets, of one.</summary>
    public static List<(float[] Embedding, string Label, string Set)> OfSets(
        IDataView data, string embeddingColumn, string labelColumn, string? setColumn, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var embedding = EvaluationColumns.Embeddings(data.Schema, embeddingColumn);
        var label = EvaluationColumns.Names(data.Schema, labelColumn, "label");
        DataViewSchema.Column? set = setColumn is null ? null : EvaluationColumns.Names(data.Schema, setColumn, "set");
        return Read<(float[], string, string)>(
            data,
            set is { } column ? [embedding, label, column] : [embedding, label],
            cursor =>
            {
                var readEmbedding = EvaluationColumns.EmbeddingReader(cursor, embedding);
                var readLabel = EvaluationColumns.NameReader(cursor, label);
                var readSet = set is { } s ? EvaluationColumns.NameReader(cursor, s) : () => "";
                return () => (readEmbedding(), readLabel(), readSet());
            },
            "rows",
            cancellation);
    }

    /// <summary>Pairs of embeddings with a number.</summary>
    public static List<(float[] First, float[] Second, double Score)> Pairs(
        IDataView data, string firstColumn, string secondColumn, string scoreColumn, string scoreRole, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var first = EvaluationColumns.Embeddings(data.Schema, firstColumn);
        var second = EvaluationColumns.Embeddings(data.Schema, secondColumn);
        EvaluationColumns.CheckSizes(first, second);
        var score = EvaluationColumns.Numbers(data.Schema, scoreColumn, scoreRole);
        return Read<(float[], float[], double)>(
            data,
            [first, second, score],
            cursor =>
            {
                var readFirst = EvaluationColumns.EmbeddingReader(cursor, first);
                var readSecond = EvaluationColumns.EmbeddingReader(cursor, second);
                var readScore = EvaluationColumns.NumberReader(cursor, score);
                return () => (readFirst(), readSecond(), readScore());
            },
            "pairs",
            cancellation);
    }

    /// <summary>Candidates of queries with their relevance.</summary>
    public static List<(string Query, float[] Embedding, double Relevance)> Candidates(
        IDataView data, string embeddingColumn, string queryColumn, string relevanceColumn, CancellationToken cancellation) =>
        Scored(data, embeddingColumn, (queryColumn, "query id"), (relevanceColumn, "relevance"), "candidates", cancellation);

    /// <summary>Machines' summaries of texts with their scores.</summary>
    public static List<(string Text, float[] Embedding, double Score)> Summaries(
        IDataView data, string embeddingColumn, string textColumn, string scoreColumn, CancellationToken cancellation) =>
        Scored(data, embeddingColumn, (textColumn, "text id"), (scoreColumn, "score"), "machines' summaries", cancellation);

    /// <summary>Relevance of documents by query.</summary>
    /// <exception cref="InvalidOperationException">There are no rows, or two of the same document for the same query.</exception>
    public static Dictionary<string, Dictionary<string, double>> Judgments(
        IDataView data, string queryColumn, string documentColumn, string relevanceColumn, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var query = EvaluationColumns.Names(data.Schema, queryColumn, "query id");
        var document = EvaluationColumns.Names(data.Schema, documentColumn, "document id");
        var relevance = EvaluationColumns.Numbers(data.Schema, relevanceColumn, "relevance");
        var rows = Read<(string Query, string Document, double Relevance)>(
            data,
            [query, document, relevance],
            cursor =>
            {
                var readQuery = EvaluationColumns.NameReader(cursor, query);
                var readDocument = EvaluationColumns.NameReader(cursor, document);
                var readRelevance = EvaluationColumns.NumberReader(cursor, relevance);
                return () => (readQuery(), readDocument(), readRelevance());
            },
            "judgments",
            cancellation);
        var byQuery = new Dictionary<string, Dictionary<string, double>>();
        foreach (var row in rows)
        {
            if (!byQuery.TryGetValue(row.Query, out var own))
                byQuery.Add(row.Query, own = []);
            if (!own.TryAdd(row.Document, row.Relevance))
                throw new InvalidOperationException($"There are two judgments of document '{row.Document}' for query '{row.Query}'.");
        }

        return byQuery;
    }

    private static List<(string Name, float[] Embedding, double Score)> Scored(
        IDataView data,
        string embeddingColumn,
        (string Column, string Role) name,
        (string Column, string Role) score,
        string table,
        CancellationToken cancellation)
    {
        var embedding = EvaluationColumns.Embeddings(data.Schema, embeddingColumn);
        var nameColumn = EvaluationColumns.Names(data.Schema, name.Column, name.Role);
        var scoreColumn = EvaluationColumns.Numbers(data.Schema, score.Column, score.Role);
        return Read<(string, float[], double)>(
            data,
            [embedding, nameColumn, scoreColumn],
            cursor =>
            {
                var readEmbedding = EvaluationColumns.EmbeddingReader(cursor, embedding);
                var readName = EvaluationColumns.NameReader(cursor, nameColumn);
                var readScore = EvaluationColumns.NumberReader(cursor, scoreColumn);
                return () => (readName(), readEmbedding(), readScore());
            },
            table,
            cancellation);
    }

    /// <summary>Reads all rows.</summary>
    /// <param name="data">The table.</param>
    /// <param name="columns">The columns that are read.</param>
    /// <param name="createReader">Reads the cursor's current row.</param>
    /// <param name="table">What messages call the rows.</param>
    /// <param name="cancellation">Ends reading with an exception.</param>
    /// <exception cref="InvalidOperationException">There are no rows.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static List<T> Read<T>(
        IDataView data,
        DataViewSchema.Column[] columns,
        Func<DataViewRowCursor, Func<T>> createReader,
        string table,
        CancellationToken cancellation)
    {
        using var cursor = data.GetRowCursor(columns);
        var read = createReader(cursor);
        var rows = new List<T>();
        while (cursor.MoveNext())
        {
            cancellation.ThrowIfCancellationRequested();
            rows.Add(read());
        }

        return rows.Count > 0 ? rows : throw new InvalidOperationException($"The table of {table} has no rows.");
    }
}
