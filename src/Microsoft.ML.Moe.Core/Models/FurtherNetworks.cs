using System.Globalization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Networks beside a model's own, of the same input and architecture, each trained apart and validated on rows of its own: what the model gives is
/// the mean over all of them (Krogh and Vedelsby 1995, "Neural network ensembles, cross validation, and active learning").
/// </summary>
/// <param name="networks">The networks, models without a branch.</param>
/// <param name="head">Averages.</param>
internal sealed class FurtherNetworks(IReadOnlyList<Model<FeatureRow>> networks, Head head) : Branch<FeatureRow>
{
    /// <summary>The networks.</summary>
    public IReadOnlyList<Model<FeatureRow>> Networks => networks;

    /// <inheritdoc/>
    public override ModelConfig AddTo(ModelConfig config) => config with { FurtherHeads = [.. networks.Select(network => network.Config.Head)] };

    /// <inheritdoc/>
    public override void Combine(Engine engine, IReadOnlyList<FeatureRow> rows, Span<float> outputs)
    {
        var each = new float[networks.Count + 1][];
        each[0] = outputs.ToArray();
        for (var n = 0; n < networks.Count; n++)
            networks[n].Score(rows, each[n + 1] = new float[outputs.Length]);
        head.Average(each, outputs);
    }

    /// <inheritdoc/>
    public override Branch<FeatureRow> Follow(Func<Model<FeatureRow>, Model<FeatureRow>> change) =>
        new FurtherNetworks([.. networks.Select(change)], head);

    /// <inheritdoc/>
    public override IReadOnlyList<NamedValues> Export() =>
    [
        .. networks.SelectMany((network, n) => network.Parameters.All.Select(p => NamedValues.Of(p.Parameter) with
        {
            Name = NameOf(n, p.Parameter.Name),
        })),
    ];

    /// <summary>The networks of a saved model.</summary>
    /// <param name="engine">Where they shall live.</param>
    /// <param name="config">What its configuration tells.</param>
    /// <param name="input">What the first network reads rows by.</param>
    /// <param name="heads">Their heads.</param>
    /// <param name="take">Gives what reads values, by name and shape, or throws.</param>
    /// <exception cref="InvalidDataException">The values are those of no such networks.</exception>
    public static FurtherNetworks Import(
        Engine engine, ModelConfig config, FeatureInput input, IReadOnlyList<HeadConfig> heads, Func<string, int[], FillValues> take)
    {
        Model<FeatureRow>[] networks =
        [
            .. heads.Select((head, n) => new Model<FeatureRow>(
                engine,
                config with { Head = head },
                input,
                new ParameterStore(engine, (name, shape) => take(NameOf(n, name), shape)) { HasDenseTables = config.Encoder.HasDenseTables })),
        ];
        return new FurtherNetworks(networks, networks[0].Head);
    }

    private static string NameOf(int network, string name) =>
        string.Create(CultureInfo.InvariantCulture, $"networks.{network + 1}.{name}");
}
