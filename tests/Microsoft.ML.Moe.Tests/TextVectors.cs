namespace Microsoft.ML.Moe.Tests;

/// <summary>What a transformer with a vector column <c>Features</c> makes of texts.</summary>
internal sealed class TextVectors
{
    public float[] Features { get; set; } = [];

    /// <summary>Vectors of texts.</summary>
    public static List<float[]> Of(MLContext ml, ITransformer transformer, params IEnumerable<string?> texts)
    {
        var data = ml.Data.LoadFromEnumerable(texts.Select(t => new Row { Text = t }));
        return [.. ml.Data.CreateEnumerable<TextVectors>(transformer.Transform(data), reuseRowObject: false).Select(v => v.Features)];
    }

    /// <summary>Vectors of the texts of <see cref="Tables"/>.</summary>
    public static List<float[]> Of(MLContext ml, ITransformer transformer) => Of(ml, transformer, Tables.Rows().Select(r => r.Text));
}
