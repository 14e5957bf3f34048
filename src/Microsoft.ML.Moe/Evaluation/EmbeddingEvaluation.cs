namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// What embeddings are worth, by the protocols of MTEB (Muennighoff et al. 2023, "MTEB: Massive Text Embedding Benchmark"; version 2.26 of
/// its program): of any embeddings, this library's or not, that stand in a column of a table.
/// </summary>
/// <remarks>
/// Embedding columns are vectors of Single of known size. Labels and ids may be keys, text, numbers or Boolean; scores, relevances and
/// yes-or-no labels numbers or Boolean. All methods throw <see cref="ArgumentOutOfRangeException"/> where a column is missing, of the wrong
/// type or of another size than the one that it is compared with, and <see cref="InvalidOperationException"/> where a table has no rows or
/// a row no value; the messages name column and row.
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var metrics = EmbeddingEvaluation.Classification(embedder.Transform(train), embedder.Transform(test));
/// Console.WriteLine(metrics.Mean.Accuracy);
/// ]]></code>
/// </example>
public static class EmbeddingEvaluation
{
    /// <summary>
    /// Classification from few rows: logistic regressions (L2 penalty, C = 1) on a few training rows of each class, scored on all test
    /// rows.
    /// </summary>
    /// <param name="train">Table that training rows are drawn from.</param>
    /// <param name="test">Table that is scored.</param>
    /// <param name="embeddingColumnName">Column of embeddings in both.</param>
    /// <param name="labelColumnName">Column of labels in both; they are compared as text.</param>
    /// <param name="options">Settings; null for the protocol's.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit, or an option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">A table has no rows, a row no value, or the training rows a single class.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static EmbeddingClassificationMetrics Classification(
        IDataView train,
        IDataView test,
        string embeddingColumnName = "Embedding",
        string labelColumnName = "Label",
        EmbeddingClassificationOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        options ??= new EmbeddingClassificationOptions();
        OptionCheck.Range(options.Experiments, 1, int.MaxValue, nameof(options.Experiments));
        OptionCheck.Range(options.RowsForEachClass, 1, int.MaxValue, nameof(options.RowsForEachClass));
        OptionCheck.Range(options.MaxIterations, 1, int.MaxValue, nameof(options.MaxIterations));
        EvaluationColumns.CheckSizes(train, test, embeddingColumnName);
        return ClassificationProtocol.Run(
            EvaluationRows.Named(train, embeddingColumnName, labelColumnName, "label", "training rows", cancellationToken),
            EvaluationRows.Named(test, embeddingColumnName, labelColumnName, "label", "test rows", cancellationToken),
            options,
            cancellationToken);
    }

    /// <summary>
    /// Clustering: mini-batch k-means with as many clusters as there are labels, and the v-measure of its clusters. Which clusters k-means
    /// finds depends on random numbers and rounding: compare means of several sets or samples.
    /// </summary>
    /// <param name="data">The table.</param>
    /// <param name="embeddingColumnName">Column of embeddings.</param>
    /// <param name="labelColumnName">Column of labels.</param>
    /// <param name="setColumnName">Column that tells which set a row is of, each clustered by itself; null: all rows are one set.</param>
    /// <param name="options">Settings; null for the protocol's, each set whole.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit, or an option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows, or a row no value.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static EmbeddingClusteringMetrics Clustering(
        IDataView data,
        string embeddingColumnName = "Embedding",
        string labelColumnName = "Label",
        string? setColumnName = null,
        EmbeddingClusteringOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        options ??= new EmbeddingClusteringOptions();
        OptionCheck.Range(options.BatchSize, 1, int.MaxValue, nameof(options.BatchSize));
        OptionCheck.Range(options.RowShare, float.Epsilon, 1f, nameof(options.RowShare));
        OptionCheck.Range(options.Samples, 0, int.MaxValue, nameof(options.Samples));
        OptionCheck.Range(options.SampleSize, 1, Array.MaxLength, nameof(options.SampleSize));
        var rows = EvaluationRows.OfSets(data, embeddingColumnName, labelColumnName, setColumnName, cancellationToken);
        return ClusteringProtocol.Run(
            rows.GroupBy(r => r.Set).Select(IReadOnlyList<(float[], string)> (g) => [.. g.Select(r => (r.Embedding, r.Label))]),
            options,
            cancellationToken);
    }

    /// <summary>Semantic textual similarity: how similarities of pairs go together with scores that people gave.</summary>
    /// <param name="data">A pair a row.</param>
    /// <param name="firstColumnName">Column of the first embedding.</param>
    /// <param name="secondColumnName">Column of the second embedding.</param>
    /// <param name="scoreColumnName">Column of the score, higher for more similar pairs.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows, or a row no value.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static EmbeddingSimilarityMetrics TextSimilarity(
        IDataView data,
        string firstColumnName = "Embedding1",
        string secondColumnName = "Embedding2",
        string scoreColumnName = "Label",
        CancellationToken cancellationToken = default) =>
        SimilarityProtocol.Run(EvaluationRows.Pairs(data, firstColumnName, secondColumnName, scoreColumnName, "score", cancellationToken));

    /// <summary>
    /// Pair classification: average precision of the similarity, and accuracy and F1 at the best threshold, for four similarities.
    /// </summary>
    /// <param name="data">A pair a row.</param>
    /// <param name="firstColumnName">Column of the first embedding.</param>
    /// <param name="secondColumnName">Column of the second embedding.</param>
    /// <param name="labelColumnName">Column that tells whether the pair belongs together: Boolean, or 1 and 0.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows, a row no value, or a label is neither 1 nor 0.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static EmbeddingPairMetrics PairClassification(
        IDataView data,
        string firstColumnName = "Embedding1",
        string secondColumnName = "Embedding2",
        string labelColumnName = "Label",
        CancellationToken cancellationToken = default)
    {
        var pairs = EvaluationRows.Pairs(data, firstColumnName, secondColumnName, labelColumnName, "label", cancellationToken);
        var wrong = pairs.FindIndex(p => p.Score is not (0 or 1));
        return wrong < 0
            ? PairProtocol.Run([.. pairs.Select(p => (p.First, p.Second, p.Score == 1))])
            : throw new InvalidOperationException(
                $"Row {wrong + 1} has the label {pairs[wrong].Score} in column '{labelColumnName}'; labels of pairs must be 1 or 0.");
    }

    /// <summary>
    /// Reranking: each query's own candidates, ranked by cosine. Where a query has several rows, the closest counts. Of equally close
    /// candidates those that are not relevant rank first.
    /// </summary>
    /// <param name="queries">A query a row.</param>
    /// <param name="candidates">A candidate of a query a row.</param>
    /// <param name="embeddingColumnName">Column of embeddings in both.</param>
    /// <param name="queryColumnName">Column of the query's id in both.</param>
    /// <param name="relevanceColumnName">Column of the candidates that tells whether they are relevant: Boolean, or over 0.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">
    /// A table has no rows, a row no value, a candidate's query is not there, or no query has both relevant and other candidates.
    /// </exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static EmbeddingRerankingMetrics Reranking(
        IDataView queries,
        IDataView candidates,
        string embeddingColumnName = "Embedding",
        string queryColumnName = "QueryId",
        string relevanceColumnName = "Label",
        CancellationToken cancellationToken = default)
    {
        EvaluationColumns.CheckSizes(queries, candidates, embeddingColumnName);
        return RerankingProtocol.Run(
            EvaluationRows.Named(queries, embeddingColumnName, queryColumnName, "query id", "queries", cancellationToken)
                .ToLookup(q => q.Name, q => q.Embedding),
            EvaluationRows.Candidates(candidates, embeddingColumnName, queryColumnName, relevanceColumnName, cancellationToken));
    }

    /// <summary>
    /// Retrieval: all documents ranked by cosine for each query, scored by the rules of trec_eval. Of equally close documents that with the
    /// larger id, as text, ranks first. Queries without a relevant document are left out.
    /// </summary>
    /// <param name="queries">A query a row.</param>
    /// <param name="documents">A document a row.</param>
    /// <param name="judgments">Which document is relevant to which query, a pair a row; pairs that are not there are not relevant.</param>
    /// <param name="embeddingColumnName">Column of embeddings of queries and documents.</param>
    /// <param name="queryColumnName">Column of the query's id in queries and judgments.</param>
    /// <param name="documentColumnName">Column of the document's id in documents and judgments.</param>
    /// <param name="relevanceColumnName">Column of the judgments that tells how relevant the document is: a number, or Boolean.</param>
    /// <param name="options">Settings; null for the protocol's.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit, or an option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">
    /// A table has no rows, a row no value, an id occurs twice, or no query has a relevant document.
    /// </exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static EmbeddingRetrievalMetrics Retrieval(
        IDataView queries,
        IDataView documents,
        IDataView judgments,
        string embeddingColumnName = "Embedding",
        string queryColumnName = "QueryId",
        string documentColumnName = "DocumentId",
        string relevanceColumnName = "Label",
        EmbeddingRetrievalOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        options ??= new EmbeddingRetrievalOptions();
        OptionCheck.Range(options.Cutoff, 1, int.MaxValue, nameof(options.Cutoff));
        EvaluationColumns.CheckSizes(queries, documents, embeddingColumnName);
        var relevances = EvaluationRows.Judgments(judgments, queryColumnName, documentColumnName, relevanceColumnName, cancellationToken);
        return new RetrievalProtocol(
                EvaluationRows.Named(documents, embeddingColumnName, documentColumnName, "document id", "documents", cancellationToken))
            .Run(
                EvaluationRows.Named(queries, embeddingColumnName, queryColumnName, "query id", "queries", cancellationToken),
                relevances,
                options,
                cancellationToken);
    }

    /// <summary>
    /// Summarisation: for each text, how the closeness of machines' summaries to the closest of people's goes together with the scores that
    /// people gave them. Texts whose scores or similarities are all equal are left out.
    /// </summary>
    /// <param name="machineSummaries">A machine's summary of a text a row.</param>
    /// <param name="humanSummaries">A summary of a text that a person wrote a row.</param>
    /// <param name="embeddingColumnName">Column of embeddings in both.</param>
    /// <param name="textColumnName">Column of the text's id in both.</param>
    /// <param name="scoreColumnName">Column of the machines' summaries with the score.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">
    /// A table has no rows, a row no value, a text has no summary that a person wrote, or no text is left.
    /// </exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static EmbeddingSummarizationMetrics Summarization(
        IDataView machineSummaries,
        IDataView humanSummaries,
        string embeddingColumnName = "Embedding",
        string textColumnName = "TextId",
        string scoreColumnName = "Label",
        CancellationToken cancellationToken = default)
    {
        EvaluationColumns.CheckSizes(machineSummaries, humanSummaries, embeddingColumnName);
        return SummarizationProtocol.Run(
            EvaluationRows.Named(humanSummaries, embeddingColumnName, textColumnName, "text id", "people's summaries", cancellationToken)
                .ToLookup(s => s.Name, s => s.Embedding),
            EvaluationRows.Summaries(machineSummaries, embeddingColumnName, textColumnName, scoreColumnName, cancellationToken));
    }
}
