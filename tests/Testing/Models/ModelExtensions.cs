using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Tests;

/// <summary>Models and their inputs in fewer words.</summary>
internal static class ModelExtensions
{
    /// <summary>A text as a model of texts reads it.</summary>
    public static EncodedText Encode(this Input<EncodedText> input, string text, string? second = null) =>
        ((TextInput)input).Encode(text, second);

    /// <summary>What a model gives for rows.</summary>
    public static float[] Scores<TRow>(this Model<TRow> model, IReadOnlyList<TRow> rows)
    {
        var outputs = new float[rows.Count * model.Outputs];
        model.Score(rows, outputs);
        return outputs;
    }

    /// <summary>The values of a parameter.</summary>
    public static float[] Values<TRow>(this Model<TRow> model, string parameter) =>
        model.Parameters.All.Single(p => p.Parameter.Name == parameter).Parameter.Value.ToArray();

    /// <summary>The values of all parameters, and of the linear branch.</summary>
    public static float[] AllValues<TRow>(this Model<TRow> model) =>
    [
        .. model.Parameters.All.SelectMany(p => p.Parameter.Value.ToArray()),
        .. model.Branch?.Export().SelectMany(values => values.Values) ?? [],
    ];

    /// <summary>The two files of a model.</summary>
    public static (byte[] Config, byte[] Weights) Save<TRow>(this Model<TRow> model)
    {
        using MemoryStream config = new(), weights = new();
        model.Save(config, weights);
        return (config.ToArray(), weights.ToArray());
    }
}
