using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Inputs;
using Microsoft.ML.Moe.Onnx.Tracing;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Heads;

/// <summary>
/// What heads make of the scores that they compute, and the mean over several networks: their <c>Write</c> and <c>Average</c> as nodes.
/// </summary>
/// <param name="graph">Receives the nodes.</param>
/// <param name="branch">What counts beside a classifier's network; null for nothing.</param>
internal sealed class HeadOutputs(GraphBuilder graph, LinearBranch? branch = null)
{
    /// <summary>Probabilities of classes, log-odds, or values.</summary>
    public const string Score = "Score";

    /// <summary>Probability of yes.</summary>
    public const string Probability = "Probability";

    /// <summary>Standard deviation of the value over members and networks.</summary>
    public const string Spread = "Spread";

    /// <summary>A vector of a text.</summary>
    public const string Embedding = "Embedding";

    private const string Rows = "rows";

    /// <summary>Adds the outputs of a model.</summary>
    /// <param name="networks">Head and scores of each network; several have their mean told.</param>
    public void Add(IReadOnlyList<(HeadConfig Head, Value Scores)> networks)
    {
        switch (networks[0].Head)
        {
            case BinaryHeadConfig:
                AddBinary([.. networks.Select(network => YesOf((BinaryHeadConfig)network.Head, network.Scores))]);
                break;
            case ValueHeadConfig:
                AddValue([.. networks.Select(network => ValueOf((ValueHeadConfig)network.Head, network.Scores))]);
                break;
            case MemberClassesHeadConfig { Classes: var classes }:
                var ofNetworks = networks.Select(network => ClassesOf((MemberClassesHeadConfig)network.Head, network.Scores));
                AddClasses(Average([.. ofNetworks]), classes);
                break;
            case ClassifierHeadConfig { Classes: var classes }:
                var probabilities = graph.Softmax(networks[0].Scores);
                AddClasses(branch is null ? probabilities : LinearGraphInput.Combine(graph, branch, probabilities), classes);
                break;
            case PublishedClassesHeadConfig { Classes: var classes, Task: var task }:
                AddClasses(
                    task switch
                    {
                        PublishedTask.OneClass => graph.Softmax(networks[0].Scores),
                        PublishedTask.ManyClasses => graph.Each("Sigmoid", networks[0].Scores),
                        _ => networks[0].Scores,
                    },
                    classes);
                break;
            default:
                throw Unknown(networks[0].Head);
        }
    }

    /// <summary>Checks that what a head gives can be written, before its model runs.</summary>
    /// <exception cref="NotSupportedException">It cannot; the message says why.</exception>
    public static void Check(HeadConfig head)
    {
        switch (head)
        {
            case PairClassesHeadConfig:
                throw Unsupported.Because("its head aligns the tokens of two texts in C#");
            case BinaryHeadConfig or ValueHeadConfig or ClassifierHeadConfig or PublishedClassesHeadConfig:
            case EmbeddingHeadConfig or VectorHeadConfig:
                break;
            default:
                throw Unknown(head);
        }
    }

    /// <summary>Adds the output of a model that gives vectors.</summary>
    /// <param name="vectors">[B, D].</param>
    /// <param name="width">D.</param>
    public void AddVectors(Value vectors, int width) => graph.Output(vectors, Embedding, DataType.Float, Rows, width);

    private void AddClasses(Value probabilities, int classes) => graph.Output(probabilities, Score, DataType.Float, Rows, classes);

    /// <summary>The log-odds of the mean of probabilities, which stay 10⁻⁷ away from 0 and 1.</summary>
    private void AddBinary(Value[] logOdds)
    {
        var score = logOdds.Length == 1
            ? logOdds[0]
            : LogOdds(Average([.. logOdds.Select(one => Sigmoid(Precise(one)))]));
        graph.Output(score, Score, DataType.Float, Rows, 1);
        graph.Output(Single(Sigmoid(Precise(score))), Probability, DataType.Float, Rows, 1);
    }

    /// <summary>The mean of values, and the spread of all members of all networks.</summary>
    private void AddValue((Value Mean, Value Spread)[] networks)
    {
        var (mean, spread) = networks[0];
        if (networks.Length > 1)
        {
            mean = Average([.. networks.Select(network => network.Mean)]);
            var squares = networks.Select(network =>
            {
                var difference = graph.Subtract(network.Mean, mean);
                return graph.Add(graph.Multiply(difference, difference), graph.Multiply(network.Spread, network.Spread));
            });
            spread = graph.Each("Sqrt", Average([.. squares]));
        }

        graph.Output(Single(mean), Score, DataType.Float, Rows, 1);
        graph.Output(Single(spread), Spread, DataType.Float, Rows, 1);
    }

    /// <summary>[B, 1] log-odds of the mean of the members' probabilities.</summary>
    private Value YesOf(BinaryHeadConfig head, Value scores) =>
        LogOdds(graph.Mean(Sigmoid(Precise(graph.Reshape(scores, -1, head.Members))), axis: 1));

    /// <summary>[B, 1] mean and standard deviation over the members, in the units of the target, in double precision.</summary>
    private (Value Mean, Value Spread) ValueOf(ValueHeadConfig head, Value scores)
    {
        var members = Precise(graph.Reshape(scores, -1, head.Members));
        var mean = graph.Mean(members, axis: 1);
        var difference = graph.Subtract(members, mean);
        var spread = graph.Each("Sqrt", graph.Mean(graph.Multiply(difference, difference), axis: 1));
        return (
            graph.Add(graph.Double(head.Mean), graph.Multiply(graph.Double(head.Deviation), mean)),
            graph.Multiply(graph.Double(head.Deviation), spread));
    }

    /// <summary>[B, C] mean of the members' probabilities, at the head's temperature.</summary>
    private Value ClassesOf(MemberClassesHeadConfig head, Value scores)
    {
        var members = graph.Reshape(graph.Softmax(scores), -1, head.Members, head.Classes);
        var mean = graph.Mean(members, axis: 1, keeps: false);
        if (head.Temperature == 1f)
            return mean;
        var shares = graph.Divide(mean, graph.Largest(mean, axis: 1));
        var powers = graph.Power(Precise(shares), graph.Double(1 / head.Temperature));
        return Single(graph.Divide(powers, graph.Sum(powers, axis: 1)));
    }

    private Value Average(Value[] each)
    {
        var sum = each[0];
        foreach (var one in each[1..])
            sum = graph.Add(sum, one);
        return each.Length == 1 ? sum : graph.Divide(sum, graph.Node("CastLike", [graph.Double(each.Length), sum]));
    }

    private Value LogOdds(Value probabilities)
    {
        var p = graph.Smaller(
            graph.Larger(probabilities, graph.Double(BinaryHead.SmallestProbability)), graph.Double(1 - BinaryHead.SmallestProbability));
        return Single(graph.Each("Log", graph.Divide(p, graph.Subtract(graph.Double(1), p))));
    }

    private Value Sigmoid(Value x) => graph.Divide(graph.Double(1), graph.Add(graph.Double(1), graph.Each("Exp", graph.Each("Neg", x))));

    private Value Precise(Value x) => graph.Cast(x, DataType.Double);

    private Value Single(Value x) => graph.Cast(x, DataType.Float);

    private static NotSupportedException Unknown(HeadConfig head) => Unsupported.Because(
        head is NextTokenHeadConfig or DecoderHeadConfig
            ? "it writes text, token by token with a cache"
            : $"what its head gives, {head.GetType().Name}, is not known to the export",
        "Export a classifier, a regression or an embedder");
}
