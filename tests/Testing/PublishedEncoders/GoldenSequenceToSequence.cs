using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>A published encoder–decoder beside what the original computes with it: padding competes for experts, as it does there.</summary>
internal sealed class GoldenSequenceToSequence
{
    /// <summary>A later version's tensors that differ by no more are not told again.</summary>
    private const double NotTold = 2e-6;

    private readonly PublishedFolder _folder;
    private readonly TensorSource _weights;
    private readonly Engine _engine;
    private readonly EncoderDecoderConfig _config;
    private readonly bool _dropsToFirst;

    /// <summary>Opens a folder.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="weights">Its tensors.</param>
    /// <param name="engine">Where it runs.</param>
    /// <param name="droppedTokens">What a token gives that a capacity has dropped.</param>
    /// <param name="dropsToFirst">Whether such a token counts as one of expert 0 in the balancing loss.</param>
    public GoldenSequenceToSequence(
        PublishedFolder folder, TensorSource weights, Engine engine, DroppedTokens droppedTokens, bool dropsToFirst)
    {
        (_folder, _weights, _engine, _dropsToFirst) = (folder, weights, engine, dropsToFirst);
        var config = (EncoderDecoderConfig)folder.Encoder;
        _config = config with
        {
            Dropout = 0f,
            AttentionDropout = 0f,
            Router = config.Router with { MaskPadding = false, DroppedTokens = droppedTokens },
        };
        if (_config is SwitchTransformersConfig sparse)
            _config = sparse with { RouterJitter = 0f };
    }

    /// <summary>One pass, perhaps backward too.</summary>
    /// <param name="test">The case.</param>
    /// <param name="later">What a later version computes otherwise; null for nothing.</param>
    public void Compare(GoldenCase test, GoldenModel? later)
    {
        var (embedding, encoder, head, store) = _folder.Load(_engine, 0, store =>
            (_config.CreateTokenEmbedding(store), _config.CreateEncoder(store), new DecoderHead(store, _config), store));
        using var tape = _engine.BeginTape(training: test.HasGradients);
        var batch = test.ToBatch();
        var routers = new Routers();
        var (ofEncoder, ofDecoder) = (Losses(routers), Losses(routers));
        var context = new ForwardContext(tape, batch.Layout, ofEncoder);
        var encoded = encoder.Forward(context, embedding.Forward(context, batch));
        var targets = Targets(test);
        var decoded = head.Decode(context.Over(targets.Layout, ofDecoder), targets.Inputs, new(encoded.Last, batch.Layout));
        var logitsTV = head.Scores(tape, decoded.Last);

        var loss = CompareLosses(test, later, tape, logitsTV, targets, ofEncoder, ofDecoder);
        if (test.HasGradients)
            tape.Backward(loss!);
        var gradients = test.HasGradients
            ? PublishedGradients.Of(store.All.Select(p => p.Parameter), _config.CreateRules(), _weights)
            : [];
        foreach (var output in test.Outputs)
        {
            var expected = (later?.Tensor($"{test.Name}.{output}") ?? test[output])!.Value.Values;
            var what = $"{test.Name} {output}";
            float[] Actual() => output.Split('.', 2) switch
            {
                ["grad", var name] => gradients[name],
                ["logits"] => logitsTV.ToArray(),
                ["encoder_hidden_states", var layer] => encoded.After(Number(layer)).ToArray(),
                ["decoder_hidden_states", var layer] => decoded.After(Number(layer)).ToArray(),
                [var kind, var layer] => routers.Read(kind, Number(layer), _config.Layers),
                _ => throw new InvalidDataException($"{what} is not known."),
            };
            GoldenNumbers.Close(expected, Actual(), what, more: later is null || later.Tells($"{test.Name}.{output}") ? 0 : NotTold);
        }

        foreach (var scalar in test.Scalars)
        {
            if (scalar.Split('.') is [var name, var layer] && name.EndsWith("_dropped_count", StringComparison.Ordinal))
            {
                var dropped = routers.Read(name[..^"_count".Length], Number(layer), _config.Layers);
                Assert.Equal(test.Scalar(scalar), dropped.Sum());
            }
        }
    }

    private Tensor? CompareLosses(
        GoldenCase test, GoldenModel? later, Tape tape, Tensor logitsTV, DecoderTargets targets, SwitchLosses ofEncoder, SwitchLosses ofDecoder)
    {
        var sparse = _config as SwitchTransformersConfig;
        var loss = test["labels"] is null ? null : tape.CrossEntropy(tape.Embedding(logitsTV, targets.Rows), targets.Labels, []);
        if (loss is not null)
            Equal(sparse is null ? "loss" : "cross_entropy", loss);
        Add("enc", ofEncoder, sparse is { BalancesEncoder: true });
        Add("dec", ofDecoder, sparse is { BalancesDecoder: true });
        if (loss is not null)
            Equal("loss", loss);
        return loss;

        void Add(string stack, SwitchLosses losses, bool balances)
        {
            if (!balances)
            {
                Assert.Equal(0, test.Scalar("z_" + stack) ?? 0);
                return;
            }

            Equal("z_" + stack, losses.Z(tape)!);
            Equal("aux_" + stack, losses.Balancing(tape)!);
            if (loss is not null && losses.Loss(tape) is { } added)
                loss = tape.Add(loss, added);
        }

        void Equal(string scalar, Tensor actual)
        {
            if ((later?.Scalar($"{test.Name}.{scalar}") ?? test.Scalar(scalar)) is { } expected)
                GoldenNumbers.Close(expected, actual.ToArray()[0], 0, $"{test.Name} {scalar}");
        }
    }

    private SwitchLosses Losses(IRoutingObserver next) => new(
        next, _config.LoadBalancingCoefficient, _config.RouterZLossCoefficient, countsPadding: true, _dropsToFirst ? _config.Router.ExpertCapacity : null);

    private DecoderTargets Targets(GoldenCase test)
    {
        var (values, shape) = test["labels"] ?? test["decoder_input_ids"] ?? throw new InvalidDataException($"Case {test.Name} has nothing to decode.");
        int[][] rows = [.. values.Select(v => (int)v).Chunk(shape[1])];
        if (test["labels"] is not null)
            return DecoderTargets.Of(rows, _config.StartId, _config.PaddingId);
        int[] offsets = [.. Enumerable.Range(0, rows.Length + 1).Select(row => row * shape[1])];
        bool[]? mask = test["decoder_attention_mask"] is var (flags, _) && flags.Contains(0f) ? [.. flags.Select(f => f > 0)] : null;
        return new DecoderTargets(new SequenceLayout(offsets, mask), [.. rows.SelectMany(row => row)], [], []);
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>What was routed where, as goldens tell it.</summary>
    private sealed class Routers : IRoutingObserver
    {
        private readonly Dictionary<int, RoutedLayer> _layers = [];

        public void OnRouted(RoutedLayer layer) => _layers.Add(layer.Block, layer);

        public float[] Read(string kind, int number, int encoderLayers)
        {
            var layer = _layers[kind.StartsWith("decoder_", StringComparison.Ordinal) ? encoderLayers + number : number];
            var logits = layer.LogitsTE.ToArray();
            var experts = layer.Plan.Experts;
            return kind[(kind.IndexOf('_', StringComparison.Ordinal) + 1)..] switch
            {
                "router_logits" => logits,
                "expert_index" => [.. logits.Chunk(experts).Select(row => (float)LoadBalancingLoss.FirstChoice(row))],
                "dropped" => [.. Enumerable.Range(0, layer.Plan.Tokens).Select(token => layer.Plan.ByToken.Of(token).IsEmpty ? 1f : 0f)],
                _ => throw new InvalidDataException($"{kind} is not known."),
            };
        }
    }
}
