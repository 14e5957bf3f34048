using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Evaluation;

/// <summary>A row of the tables that evaluations take; a table has the columns that its evaluation needs and others.</summary>
internal sealed class EmbeddingRow
{
    public float[] Embedding { get; set; } = [];

    public float[] Embedding1 { get; set; } = [];

    public float[] Embedding2 { get; set; } = [];

    public double Label { get; set; }

    public string Text { get; set; } = "text";

    public bool Flag { get; set; }

    public string QueryId { get; set; } = "q";

    public string DocumentId { get; set; } = "d";

    public string TextId { get; set; } = "t";

    /// <summary>A table whose vectors have the size of the first row's.</summary>
    public static IDataView Table(IEnumerable<EmbeddingRow> rows)
    {
        var list = rows.ToList();
        var schema = SchemaDefinition.Create(typeof(EmbeddingRow));
        foreach (var name in new[] { nameof(Embedding), nameof(Embedding1), nameof(Embedding2) })
            schema[name].ColumnType = new VectorDataViewType(NumberDataViewType.Single, SizeOf(list, name));
        foreach (var row in list)
        {
            row.Embedding = row.Embedding.Length == 0 ? new float[SizeOf(list, nameof(Embedding))] : row.Embedding;
            row.Embedding1 = row.Embedding1.Length == 0 ? new float[SizeOf(list, nameof(Embedding1))] : row.Embedding1;
            row.Embedding2 = row.Embedding2.Length == 0 ? new float[SizeOf(list, nameof(Embedding2))] : row.Embedding2;
        }

        return new MLContext(seed: 1).Data.LoadFromEnumerable(list, schema);
    }

    private static int SizeOf(List<EmbeddingRow> rows, string name) => Math.Max(1, rows.Count == 0 ? 1 : name switch
    {
        nameof(Embedding) => rows[0].Embedding.Length,
        nameof(Embedding1) => rows[0].Embedding1.Length,
        _ => rows[0].Embedding2.Length,
    });
}
