using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>A published causal model beside what the original computes with it.</summary>
internal sealed class GoldenCausal
{
    private readonly PublishedFolder _folder;
    private readonly TensorSource _weights;
    private readonly Engine _engine;
    private readonly CausalConfig _config;
    private readonly WeightPrecision _precision;

    public GoldenCausal(
        PublishedFolder folder, TensorSource weights, Engine engine, WeightPrecision precision = WeightPrecision.Float32)
    {
        (_folder, _weights, _engine, _precision) = (folder, weights, engine, precision);
        _config = (CausalConfig)folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };
    }

    /// <summary>One pass over whole rows, perhaps backward too.</summary>
    public void Compare(GoldenCase test)
    {
        var network = Load();
        using var tape = _engine.BeginTape(training: test.HasGradients);
        var rows = Rows.Of(test);
        var balancing = new LayersBalancing();
        var routers = new RouterRecorder(balancing);
        var (states, lastTD) = network.Run(tape, rows, routers);
        var logitsTV = network.Head.Scores(tape, lastTD);
        if (test["labels"] is var (labels, _))
            CompareLosses(test, tape, rows, logitsTV, [.. labels.Select(l => (int)l)], balancing);

        var gradients = test.HasGradients
            ? PublishedGradients.Of(network.Store.All.Select(p => p.Parameter).Where(p => !p.IsFrozen), _config.CreateRules(), _weights)
            : [];
        foreach (var output in test.Outputs)
        {
            var expected = test[output]!.Value.Values;
            var what = $"{test.Name} {output}";
            if (output.StartsWith("grad.", StringComparison.Ordinal) && !gradients.ContainsKey(output["grad.".Length..]))
                Assert.NotEqual(WeightPrecision.Float32, _precision);
            else if (output.StartsWith("grad.", StringComparison.Ordinal))
                GoldenNumbers.Close(expected, gradients[output["grad.".Length..]], what);
            else if (output == "logits")
                rows.CompareTokens(expected, logitsTV, what);
            else if (output == "last_hidden_state")
                rows.CompareTokens(expected, lastTD, what);
            else if (NumberAfter(output, "hidden_states.") is { } layer)
                rows.CompareTokens(expected, states[layer], what);
            else if (NumberAfter(output, "router_logits.") is { } router)
                rows.CompareTokens(expected, routers.Logits[router], what);
            else
                Assert.True(IsOfAnotherVersion(output), $"{what} is not known.");
        }
    }

    /// <summary>Scores of the next token of all tokens, and the mean loss of those that follow in their rows.</summary>
    public (float[] Logits, double Loss) Score(GoldenCase test)
    {
        var network = Load();
        using var tape = _engine.BeginTape(training: false);
        var rows = Rows.Of(test);
        var logitsTV = network.Head.Scores(tape, network.Run(tape, rows, null).Last);
        var ids = test["input_ids"]!.Value.Values;
        var targets = rows.Places.Select((place, token) => (Token: token - 1, Id: (int)ids[place], IsFirst: rows.IsFirst(token)))
            .Where(t => !t.IsFirst).ToList();
        var loss = tape.CrossEntropy(tape.Embedding(logitsTV, [.. targets.Select(t => t.Token)]), [.. targets.Select(t => t.Id)], []);
        return (logitsTV.ToArray(), loss.ToArray()[0]);
    }

    /// <summary>A whole pass, and one in steps: most of the tokens first, then one at a time.</summary>
    public void CompareCached(GoldenCase test)
    {
        var network = Load();
        var rows = Rows.Of(test);
        using (var tape = _engine.BeginTape(training: false))
        {
            var routers = new RouterRecorder(null);
            var (_, lastTD) = network.Run(tape, rows, routers);
            rows.CompareTokens(test["full_logits"]!.Value.Values, network.Head.Scores(tape, lastTD), $"{test.Name} full_logits");
            for (var layer = 0; test[$"router_logits.{layer}"] is var (expected, _); layer++)
                rows.CompareTokens(expected, routers.Logits[layer], $"{test.Name} router_logits.{layer}");
        }

        var steps = test.Outputs.Count(o => o.StartsWith("step_logits.", StringComparison.Ordinal));
        var prefilled = test.Length - steps;
        using var cache = new DecodingCache(_engine, test.Rows, test.Length);
        Step(rows.Part(0, prefilled), "prefill_logits");
        for (var step = 0; step < steps; step++)
            Step(rows.Part(prefilled + step, 1), $"step_logits.{step}");

        void Step(Rows part, string output)
        {
            using var tape = _engine.BeginTape(training: false);
            var (_, lastTD) = network.Run(tape, part, null, cache);
            cache.Count(part.Layout);
            part.CompareTokens(test[output]!.Value.Values, network.Head.Scores(tape, lastTD), $"{test.Name} {output}");
        }
    }

    /// <summary>State and router logits of each row's last token.</summary>
    public void CompareEmbedding(GoldenCase test)
    {
        var network = Load();
        using var tape = _engine.BeginTape(training: false);
        var rows = Rows.Of(test);
        var routers = new RouterRecorder(null);
        var (_, lastTD) = network.Run(tape, rows, routers);
        int[] last = [.. Enumerable.Range(0, test.Rows).Select(row => rows.Layout.Offsets[row + 1] - 1)];
        foreach (var output in test.Outputs)
        {
            var expected = test[output]!.Value.Values;
            var what = $"{test.Name} {output}";
            if (NumberAfter(output, "router_logits.") is { } router)
                rows.CompareTokens(expected, routers.Logits[router], what);
            else if (output == "hs")
                GoldenNumbers.Close(expected, tape.Embedding(lastTD, last).ToArray(), what);
            else
                GoldenNumbers.Close(expected, tape.Concat([.. routers.Logits.Select(logits => output == "rw_softmax"
                    ? tape.Embedding(tape.Softmax(logits), last)
                    : tape.Embedding(logits, last))]).ToArray(), what);
        }
    }

    private void CompareLosses(GoldenCase test, Tape tape, Rows rows, Tensor logitsTV, int[] labels, LayersBalancing balancing)
    {
        // a token is to tell the next one's label; which of a row's first token nothing tells
        var targets = rows.Places.Select((place, token) => (Token: token - 1, Label: labels[place], IsFirst: rows.IsFirst(token)))
            .Where(t => t.Label >= 0 && !t.IsFirst).ToList();
        var entropy = tape.CrossEntropy(tape.Embedding(logitsTV, [.. targets.Select(t => t.Token)]), [.. targets.Select(t => t.Label)], []);
        var loss = entropy;
        Compare(test, "label_count", targets.Count);
        Compare(test, "cross_entropy", entropy.ToArray()[0]);
        if (test.Scalar("aux_loss") is not null)
        {
            var balance = balancing.Loss(tape)!;
            Compare(test, "aux_loss", balance.ToArray()[0]);
            if (!test.Note.Contains("cross-entropy alone", StringComparison.Ordinal))
                loss = tape.Add(loss, tape.Scale(balance, _config.LoadBalancingCoefficient));
            Compare(test, "loss", entropy.ToArray()[0] + _config.LoadBalancingCoefficient * balance.ToArray()[0]);
        }
        else
        {
            Compare(test, "loss", entropy.ToArray()[0]);
        }

        if (test.HasGradients)
            tape.Backward(loss);
    }

    private static void Compare(GoldenCase test, string scalar, double actual)
    {
        if (test.Scalar(scalar) is { } expected)
            GoldenNumbers.Close(expected, actual, 1, $"{test.Name} {scalar}");
    }

    private static int? NumberAfter(string output, string prefix) =>
        output.StartsWith(prefix, StringComparison.Ordinal) ? int.Parse(output[prefix.Length..], CultureInfo.InvariantCulture) : null;

    // what another version of the library computes otherwise is stored beside, under a name that ends in the version
    private static bool IsOfAnotherVersion(string output) => output.Length > 2 && char.IsDigit(output[^1]) && output[^2] == '_';

    private Network Load() => _folder.Load(_engine, 0, store => new Network(store, _config), precision: _precision);

    /// <summary>Embedding, blocks and head.</summary>
    private sealed class Network(ParameterStore store, CausalConfig config)
    {
        private readonly TokenEmbedding _embedding = config.CreateTokenEmbedding(store);
        private readonly Models.Encoder _encoder = config.CreateEncoder(store);

        public ParameterStore Store => store;

        public NextTokenHead Head { get; } = new(store, config);

        /// <summary>States after each block, the last one normed, as they are counted in goldens.</summary>
        public (IReadOnlyList<Tensor> States, Tensor Last) Run(Tape tape, Rows rows, IRoutingObserver? observer, DecodingCache? cache = null)
        {
            var context = new ForwardContext(tape, rows.Layout, observer, cache: cache);
            var encoded = _encoder.Forward(context, _embedding.Forward(context, rows.ToBatch()));
            return ([.. Enumerable.Range(0, encoded.LastLayer + 1).Select(encoded.After)], encoded.Last);
        }
    }

    /// <summary>A case's rows without their padding.</summary>
    private sealed class Rows
    {
        private readonly int[] _ids;
        private readonly int[] _positions;
        private readonly int _length;
        private readonly bool[] _isFirst;

        private Rows(GoldenCase test, int start, int count)
        {
            var (ids, mask) = (test["input_ids"]!.Value.Values, test.Mask);
            var offsets = new int[test.Rows + 1];
            var places = new List<int>();
            for (var row = 0; row < test.Rows; row++)
            {
                places.AddRange(Enumerable.Range(row * test.Length + start, count).Where(place => mask[place] > 0));
                offsets[row + 1] = places.Count;
            }

            (_length, Places) = (count, [.. places.Select(place => place / test.Length * count + place % test.Length - start)]);
            _ids = [.. places.Select(place => (int)ids[place])];
            // without position_ids a position counts the padding before it
            _positions = test["position_ids"] is null && mask.Contains(0f) ? [.. places.Select(place => place % test.Length)] : [];
            _isFirst = new bool[places.Count];
            foreach (var first in offsets.Where(o => o < places.Count))
                _isFirst[first] = true;
            Layout = new SequenceLayout(offsets);
            _test = test;
        }

        private readonly GoldenCase _test;

        /// <summary>Where each token is in the golden, rows one after the other.</summary>
        public int[] Places { get; }

        public SequenceLayout Layout { get; }

        public static Rows Of(GoldenCase test) => new(test, 0, test.Length);

        /// <summary>Some columns of all rows.</summary>
        public Rows Part(int start, int count) => new(_test, start, count);

        public bool IsFirst(int token) => _isFirst[token];

        public TokenIdBatch ToBatch() => new TokenIdBatch { Positions = _positions }.Reset(Layout, _ids, default);

        /// <summary>Compares a tensor of all tokens with what is expected of all places, padding included.</summary>
        public void CompareTokens(float[] expected, Tensor actual, string what)
        {
            var columns = actual.Columns;
            Assert.Equal(_test.Rows * _length * columns, expected.Length);
            float[] ofTokens = [.. Places.SelectMany(place => expected.Skip(place * columns).Take(columns))];
            GoldenNumbers.Close(ofTokens, actual.ToArray(), what);
        }
    }
}
