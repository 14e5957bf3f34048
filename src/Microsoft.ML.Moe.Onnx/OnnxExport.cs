using System.Globalization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Heads;
using Microsoft.ML.Moe.Onnx.Inputs;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Onnx;

/// <summary>A model as the graph of an ONNX file: it runs once on a tape that notes what it does.</summary>
internal static class OnnxExport
{
    /// <summary>Writes a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">Path of the file.</param>
    /// <param name="options">How.</param>
    /// <param name="isPair">Whether its rows are pairs of texts.</param>
    /// <exception cref="NotSupportedException">ONNX cannot express the model, or this export does not know a part of it.</exception>
    public static void Save<TRow>(Model<TRow> model, string path, OnnxOptions? options = null, bool isPair = false)
    {
        options ??= new OnnxOptions();
        OptionCheck.Defined(options.Operators, nameof(options.Operators));
        OptionCheck.Defined(options.LinearBranch, nameof(options.LinearBranch));
        HeadOutputs.Check(model.Config.Head);
        var graph = new GraphBuilder();
        IReadOnlyList<Model<TRow>> networks = [model, .. Further(model, options)];
        var merged = networks.Select(network => network.Config.Adaptation is null ? network : network.Merged()).ToList();
        var input = GraphInput.Of(graph, model, HasTypes(model, isPair), [.. merged.SelectMany(SizesOf)]);
        using var tape = new OnnxTape(graph, input.Rows, NamesOf(merged), options.Operators);
        input.BindTo(tape);
        var traced = merged.Select(network => tape.ValueOf(network.Forward(tape, input.Batch, policies: network.Policies))).ToList();
        var branch = options.LinearBranch == OnnxLinearBranch.AsInput ? (object?)model.Branch as LinearBranch : null;
        var outputs = new HeadOutputs(graph, branch);
        if (model.Config.Head is EmbeddingHeadConfig or VectorHeadConfig)
            outputs.AddVectors(traced[0], model.Outputs);
        else
            outputs.Add([.. merged.Zip(traced, (network, scores) => (network.Config.Head, scores))]);
        graph.RemoveUnused();
        OnnxWriter.Write(graph, path, options.ExternalData, Properties(model, input));
    }

    /// <summary>Whether the graph is told which text of a pair a token is of: not where the encoder does not tell them apart.</summary>
    public static bool HasTypes<TRow>(Model<TRow> model, bool isPair) =>
        isPair && model.Config.Encoder is not PublishedConfig { TokenTypes: < 2 };

    /// <summary>What a reader may want to know of the model.</summary>
    private static IEnumerable<(string Name, string Value)> Properties<TRow>(Model<TRow> model, GraphInput input)
    {
        if (model.Config.Encoder.MoeLayers > 0)
            yield return ("router", model.Router.ToString());
        if (input.Rows.Length is not null)
            yield return ("maximum_tokens", input.Rows.TracedLength.ToString(CultureInfo.InvariantCulture));
        if (model.Config.BaseModel is { } published)
            yield return ("base_model", published.Name);
    }

    /// <summary>Names of the parameters, those of further networks as model files have them.</summary>
    private static Dictionary<Tensor, string> NamesOf<TRow>(IEnumerable<Model<TRow>> networks) => networks.Index()
        .SelectMany(network => network.Item.Parameters.All.Select(p => (
            p.Parameter.Value, Name: network.Index == 0 ? p.Parameter.Name : $"networks.{network.Index}.{p.Parameter.Name}")))
        .DistinctBy(p => p.Value)
        .ToDictionary(p => p.Value, p => p.Name);

    /// <summary>The networks whose mean with its own the model gives.</summary>
    private static IReadOnlyList<Model<TRow>> Further<TRow>(Model<TRow> model, OnnxOptions options) => (object?)model.Branch switch
    {
        null => [],
        FurtherNetworks further => (IReadOnlyList<Model<TRow>>)further.Networks,
        LinearBranch when options.LinearBranch != OnnxLinearBranch.Refused => [],
        LinearBranch => throw Unsupported.Because(
            "a linear branch over words and hashed n-grams counts beside its network, and ONNX has no operator for these",
            $"Set {nameof(OnnxOptions)}.{nameof(OnnxOptions.LinearBranch)} to {nameof(OnnxLinearBranch.AsInput)}, so that C# computes its "
            + $"features, or to {nameof(OnnxLinearBranch.LeftOut)}, which gives the network's own scores; or train with "
            + "LinearBranch = false"),
        var other => throw Unsupported.Because($"{other.GetType().Name} is not known to the export"),
    };

    private static IEnumerable<int> SizesOf<TRow>(Model<TRow> model) =>
        model.Parameters.All.SelectMany(p => p.Parameter.Value.Shape.ToArray());
}
