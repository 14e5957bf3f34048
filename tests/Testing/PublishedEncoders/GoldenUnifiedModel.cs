using System.Globalization;
using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// A whole causal mixture whose routers are exchanged for Unified ones without training, beside what USMoE's program computes: padding is
/// packed as tokens and competes, and only places with tokens are compared.
/// </summary>
internal sealed class GoldenUnifiedModel(PublishedFolder folder, GoldenModel golden, TensorSource weights, Engine engine)
{
    private readonly CausalConfig _config = (CausalConfig)folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };

    /// <summary>One pass over the rows of a case.</summary>
    /// <param name="name">Name of the case.</param>
    /// <param name="json">What <c>expected.json</c> says of it.</param>
    public void Compare(string name, JsonElement json)
    {
        var prefix = json.GetProperty("inputs")[0].GetString()!.Split('.')[0];
        string[] outputs = [.. json.GetProperty("outputs").EnumerateArray().Select(o => o.GetString()!)];
        double? alpha = json.GetProperty("alpha") is { ValueKind: JsonValueKind.Number } given ? given.GetDouble() : null;
        var normalizes = json.GetProperty("norm_topk_prob").GetBoolean();
        var config = alpha is { } share ? RoutedBy(share, normalizes) : _config;
        var rows = new Rows(golden, prefix);
        var network = folder.Load(engine, 0, store => new Network(store, config));
        var hasGradients = outputs.Any(o => o.StartsWith("grad.", StringComparison.Ordinal));
        using var tape = engine.BeginTape(training: false);
        var observer = new Observed(network.Store);
        var (encoded, logitsTV) = network.Run(new ForwardContext(tape, rows.Layout, observer), rows.ToBatch());
        var gradients = hasGradients ? Gradients(name, network, rows, config) : [];

        foreach (var output in outputs)
        {
            var expected = golden.Tensor($"{name}.{output}")!.Value.Values;
            var what = $"{name} {output}";
            var (kind, number) = Split(output);
            switch (kind)
            {
                case "grad":
                    GoldenNumbers.Close(expected, gradients[output["grad.".Length..]], what);
                    break;
                case "hidden_states":
                    rows.CompareTokens(expected, encoded.After(number).ToArray(), what);
                    break;
                case "last_hidden_state":
                    rows.CompareTokens(expected, encoded.Last.ToArray(), what);
                    break;
                case "logits":
                    rows.CompareTokens(expected, logitsTV.ToArray(), what);
                    break;
                case "last_token_logits":
                    rows.CompareLast(expected, logitsTV.ToArray(), what);
                    break;
                default:
                    // the unpatched DeepSeek tells probabilities in place of logits
                    var isSoftmax = alpha is null && json.GetProperty("note").GetString()!.Contains("softmax probabilities", StringComparison.Ordinal);
                    observer.Compare(rows, kind == "router" && isSoftmax ? "probabilities" : kind, number, expected, what);
                    break;
            }
        }
    }

    /// <summary>
    /// Gradients of the loss, which counts what the last place of leading padding tells. Such places are equal, and which of them win a tie is
    /// not defined: the golden's own choice is taken for this.
    /// </summary>
    private Dictionary<string, float[]> Gradients(string name, Network network, Rows rows, CausalConfig config)
    {
        using var tape = engine.BeginTape(training: true);
        var rule = new CombineRule((float)config.Router.Alpha, config.Router.Normalization);
        var context = new ForwardContext(
            tape, rows.Layout, policies: (block, _) => new Chosen(golden.Tensor($"{name}.selected.{block}")!.Value.Values, rule));
        var loss = rows.Loss(tape, network.Run(context, rows.ToBatch()).LogitsTV);
        GoldenNumbers.Close(golden.Scalar($"{name}.loss")!.Value, loss.ToArray()[0], 1, $"{name} loss");
        tape.Backward(loss);
        var gradients = PublishedGradients.Of(network.Store.All.Select(p => p.Parameter), config.CreateRules(), weights);
        // torch leaves the vector of padding as it is where the configuration tells its id
        if (folder.Settings.Has("pad_token_id"))
            gradients["model.embed_tokens.weight"].AsSpan(config.PaddingId * config.Width, config.Width).Clear();
        return gradients;
    }

    private CausalConfig RoutedBy(double alpha, bool normalizes) => _config with
    {
        Router = Router.Unified(
            _config.Router.ExpertsPerToken,
            alpha,
            RoutingScope.Sequence,
            normalizes ? WeightNormalization.All : WeightNormalization.None) with
        {
            MaskPadding = false,
        },
    };

    private static (string Kind, int Number) Split(string output)
    {
        var dot = output.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && int.TryParse(output[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? (output[..dot], number)
            : (dot > 0 ? output[..dot] : output, -1);
    }

    private sealed class Network(ParameterStore store, CausalConfig config)
    {
        private readonly TokenEmbedding _embedding = config.CreateTokenEmbedding(store);
        private readonly Models.Encoder _encoder = config.CreateEncoder(store);
        private readonly NextTokenHead _head = new(store, config);

        public ParameterStore Store => store;

        public (EncoderOutput Encoded, Tensor LogitsTV) Run(ForwardContext context, TokenIdBatch batch)
        {
            var encoded = _encoder.Forward(context, _embedding.Forward(context, batch));
            return (encoded, _head.Scores(context.Tape, encoded.Last));
        }
    }

    /// <summary>Pairs that were chosen before.</summary>
    private sealed class Chosen(float[] selectedTE, CombineRule rule) : RoutingPolicy
    {
        public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training)
        {
            var offsets = new int[experts + 1];
            var tokens = new List<int>();
            for (var expert = 0; expert < experts; expert++)
            {
                tokens.AddRange(Enumerable.Range(0, layout.Tokens).Where(token => selectedTE[token * experts + expert] > 0));
                offsets[expert + 1] = tokens.Count;
            }

            return new RoutingPlan(layout.Tokens, offsets, [.. tokens], rule);
        }
    }

    /// <summary>What the mixtures take, choose and give, by block.</summary>
    private sealed class Observed(ParameterStore store) : IRoutingObserver
    {
        private readonly Dictionary<(string Kind, int Block), float[]> _values = [];

        public void OnRouted(RoutedLayer layer)
        {
            var (tape, plan, experts) = (layer.Tape, layer.Plan, layer.Plan.Experts);
            var logits = layer.LogitsTE.ToArray();
            var weightsP = tape.CombineWeights(layer.LogitsTE, plan);
            var weights = weightsP.ToArray();
            var selected = new float[logits.Length];
            var unified = new float[logits.Length];
            for (var (expert, pair) = (0, 0); expert < experts; expert++)
            {
                foreach (var token in plan.TokensOf(expert))
                    (selected[token * experts + expert], unified[token * experts + expert]) = (1f, weights[pair++]);
            }

            _values[("router", layer.Block)] = logits;
            _values[("probabilities", layer.Block)] = tape.Softmax(layer.LogitsTE).ToArray();
            _values[("selected", layer.Block)] = selected;
            _values[("unified", layer.Block)] = unified;
            _values[("moe_input", layer.Block)] = layer.XTD.ToArray();
            _values[("moe_output", layer.Block)] = Output(layer, weightsP).ToArray();
        }

        public void Compare(Rows rows, string kind, int block, float[] expected, string what)
        {
            var actual = _values[(kind, block)];
            if (kind == "unified")
            {
                // ours weighs what is selected, the golden all
                var selected = _values[("selected", block)];
                actual = [.. actual.Select((value, i) => selected[i] > 0 ? value : rows.IsToken(i, actual.Length) ? expected[i] : value)];
            }

            rows.CompareTokens(expected, actual, what);
        }

        private Tensor Output(RoutedLayer layer, Tensor weightsP)
        {
            var (tape, xTD, name) = (layer.Tape, layer.XTD, $"layers.{layer.Block}.moe.");
            var sumTD = tape.GroupedExperts(xTD, weightsP, layer.Plan, layer.Experts);
            if (Find("shared.first.weight") is not { } first)
                return sumTD;
            var hidden = tape.Multiply(tape.Linear(xTD, first, null, layer.Experts.Activation), tape.Linear(xTD, Find("shared.gate.weight")!));
            var sharedTD = tape.Linear(hidden, Find("shared.second.weight")!);
            if (Find("sharedGate.weight") is { } gate)
            {
                var ones = tape.Constant([.. Enumerable.Repeat(1f, xTD.Columns)], 1, xTD.Columns);
                sharedTD = tape.Multiply(sharedTD, tape.Linear(tape.Linear(xTD, gate, null, Activation.Sigmoid), ones));
            }

            return tape.Add(sumTD, sharedTD);

            Parameter? Find(string part) => store.All.FirstOrDefault(p => p.Parameter.Name == name + part).Parameter;
        }
    }

    /// <summary>Rows as they stand, padding included.</summary>
    private sealed class Rows
    {
        private readonly int[] _ids;
        private readonly bool[] _mask;
        private readonly int[] _labels;
        private readonly int _count;
        private readonly int _length;

        public Rows(GoldenModel golden, string prefix)
        {
            var (ids, shape) = golden.Tensor(prefix + ".input_ids")!.Value;
            (_count, _length) = (shape[0], shape[1]);
            _ids = [.. ids.Select(id => (int)id)];
            _mask = [.. golden.Tensor(prefix + ".attention_mask")!.Value.Values.Select(m => m > 0)];
            _labels = golden.Tensor(prefix + ".labels") is var (labels, _) ? [.. labels.Select(l => (int)l)] : [];
            Layout = new SequenceLayout(
                [.. Enumerable.Range(0, _count + 1).Select(row => row * _length)], _mask.Contains(false) ? _mask : null);
        }

        public SequenceLayout Layout { get; }

        public TokenIdBatch ToBatch() => new TokenIdBatch().Reset(Layout, _ids, default);

        public bool IsToken(int element, int elements) => _mask[element / (elements / _mask.Length)];

        public void CompareTokens(float[] expected, float[] actual, string what) =>
            GoldenNumbers.Close(expected, actual, what, i => IsToken(i, expected.Length));

        public void CompareLast(float[] expected, float[] actual, string what)
        {
            var columns = expected.Length / _count;
            var last = Enumerable.Range(0, _count)
                .SelectMany(row => actual.Skip(((row + 1) * _length - 1) * columns).Take(columns));
            GoldenNumbers.Close(expected, [.. last], what, i => _mask[(i / columns + 1) * _length - 1]);
        }

        /// <summary>Mean cross-entropy of the labels that count, each told by the place before it.</summary>
        public Tensor Loss(Tape tape, Tensor logitsTV)
        {
            int[] places = [.. Enumerable.Range(0, _labels.Length).Where(place => place % _length > 0 && _labels[place] >= 0)];
            return tape.CrossEntropy(
                tape.Embedding(logitsTV, [.. places.Select(place => place - 1)]), [.. places.Select(place => _labels[place])], []);
        }
    }
}
