using System.Globalization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>
/// Switch Transformers with a global workspace beside what the released code of GW-MoE computes, or the paper's equation in its place: padding
/// competes and is broadcast, dropped tokens give p·x and count as expert 0's.
/// </summary>
internal sealed class GoldenGlobalWorkspace(PublishedFolder folder, TensorSource weights, Engine engine)
{
    public void Compare(GoldenCase test)
    {
        var settings = test.Member("settings");
        var capacity = settings.GetProperty("expert_capacity").GetInt32();
        var published = (SwitchTransformersConfig)folder.Encoder;
        var config = published with
        {
            Dropout = 0f,
            AttentionDropout = 0f,
            RouterJitter = 0f,
            Router = published.Router with { ExpertCapacity = capacity, DroppedTokens = DroppedTokens.PassThrough, MaskPadding = false },
        };
        var broadcasts = settings.GetProperty(settings.GetProperty("mode").GetString() + "_use_gw").GetBoolean();
        var (encoder, head, store) = folder.Load(engine, 0, store =>
        {
            _ = config.CreateTokenEmbedding(store);
            return (config.CreateEncoder(store), new DecoderHead(store, config), store);
        });
        var threshold = settings.GetProperty("gw_entropy_threshold").GetDouble();
        var workspace = new GlobalWorkspaceSettings(threshold, EntropyUnit.Nats, Slots("encoder_slots"))
        {
            MaxTokensPerDecoderSequence = Slots("decoder_slots"),
            Rule = settings.GetProperty("uncertain_rule").GetString() == "as released" ? GlobalWorkspaceRule.AsReleased : GlobalWorkspaceRule.Paper,
        };
        int[] blocks = [.. config.MoeBlocks, .. config.DecoderMoeBlocks];
        var policies = new WorkspacePolicies(workspace, config.Experts, blocks, config.Layers);

        // the code broadcasts in evaluation too where it is told to; here only a pass of training does
        using var tape = engine.BeginTape(training: true);
        var batch = test.ToBatch();
        var words = store.Made(TokenIdEmbedding.WordsName);
        var inputs = engine.CreateParameter(
            "inputs", [batch.Layout.Tokens, config.Width], tape.Embedding(words, batch.Ids).ToArray());
        var routers = new Recorder(tape);
        var (ofEncoder, ofDecoder) = (Losses(), Losses());
        var context = new ForwardContext(tape, batch.Layout, ofEncoder, broadcasts ? policies.Select : null);
        var encoded = encoder.Forward(context, inputs);
        var targets = DecoderTargets.Of(
            [.. test["labels"]!.Value.Values.Select(v => (int)v).Chunk(test["labels"]!.Value.Shape[1])], config.StartId, config.PaddingId);
        var decoded = head.Decode(context.Over(targets.Layout, ofDecoder), targets.Inputs, new(encoded.Last, batch.Layout));
        var logitsTV = head.Scores(tape, decoded.Last);
        var loss = tape.CrossEntropy(tape.Embedding(logitsTV, targets.Rows), targets.Labels, []);
        foreach (var losses in (SwitchLosses[])[ofEncoder, ofDecoder])
            loss = losses.Loss(tape) is { } more ? tape.Add(loss, more) : loss;
        CompareScalars();
        tape.Backward(loss);
        var gradients = PublishedGradients.Of(store.All.Select(p => p.Parameter), config.CreateRules(), weights);
        var ofInputs = new float[inputs.Value.Length];
        inputs.Value.CopyGradientTo(ofInputs);
        AddTo(gradients["shared.weight"], ofInputs, batch.Ids);
        foreach (var output in test.Outputs)
        {
            var actual = output.Split('.', 2) switch
            {
                ["grad", "inputs_embeds"] => ofInputs,
                ["grad", var name] => gradients[name],
                ["logits"] => logitsTV.ToArray(),
                ["encoder_last_hidden_state"] => encoded.Last.ToArray(),
                ["encoder_hidden_states", var layer] => encoded.After(Number(layer)).ToArray(),
                ["decoder_hidden_states", var layer] => decoded.After(Number(layer)).ToArray(),
                _ => Routed(output.Split('.')),
            };
            GoldenNumbers.Close(test[output]!.Value.Values, actual, $"{test.Name} {output}");
        }

        // −1 is none there, not all
        int Slots(string name) => Math.Max(0, settings.GetProperty(name).GetInt32());

        SwitchLosses Losses() => new(
            routers, config.LoadBalancingCoefficient, config.RouterZLossCoefficient, countsPadding: true, capacity);

        float[] Routed(string[] output) => routers.Read(
            Number(output[1]) + (output[0] == "decoder" ? config.Layers : 0), output[2], threshold, capacity);

        void CompareScalars()
        {
            Equal("loss", loss.ToArray()[0]);
            foreach (var (stack, losses) in ((string, SwitchLosses)[])[("encoder", ofEncoder), ("decoder", ofDecoder)])
            {
                Equal(stack + "_z_loss", losses.Z(tape)!.ToArray()[0]);
                Equal(stack + "_aux_loss", losses.Balancing(tape)!.ToArray()[0]);
                var ofStack = blocks.Where(block => block >= config.Layers == (stack == "decoder")).ToList();
                Equal(stack + "_entropy", ofStack.SelectMany(block => routers.Read(block, "entropy", threshold, capacity)).Average());
                Equal(stack + "_gw_ratio", ofStack.SelectMany(block => routers.Read(block, "uncertain", threshold, capacity)).Average());
            }
        }

        void Equal(string scalar, double actual)
        {
            if (test.Scalar(scalar) is { } expected)
                GoldenNumbers.Close(expected, actual, 0, $"{test.Name} {scalar}");
        }
    }

    private static void AddTo(float[] tableVD, float[] ofTokensTD, ReadOnlySpan<int> ids)
    {
        var width = ofTokensTD.Length / ids.Length;
        for (var token = 0; token < ids.Length; token++)
            for (var column = 0; column < width; column++)
                tableVD[ids[token] * width + column] += ofTokensTD[token * width + column];
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>What was routed where, as the goldens tell it.</summary>
    private sealed class Recorder(Tape tape) : IRoutingObserver
    {
        private readonly Dictionary<int, RoutedLayer> _layers = [];

        public void OnRouted(RoutedLayer layer) => _layers.Add(layer.Block, layer);

        public float[] Read(int block, string kind, double threshold, int capacity)
        {
            var layer = _layers[block];
            var (plan, experts) = (layer.Plan, layer.Plan.Experts);
            float[][] logits = [.. layer.LogitsTE.ToArray().Chunk(experts)];
            float Uncertain(int token) => RouterEntropy.Of(logits[token]) >= threshold || threshold <= 0 ? 1f : 0f;
            var dropped = Dropped(layer.Layout, logits, capacity);
            // those alone, and those that the released code broadcasts, have no experts
            Assert.All(Enumerable.Range(0, plan.Tokens).Where(token => !plan.IsBroadcast(token)), token =>
                Assert.Equal(dropped[token], plan.ByToken.Of(token).IsEmpty));
            return kind switch
            {
                "moe_input" => layer.XTD.ToArray(),
                "moe_output" => Output(layer),
                "router_logits" => layer.LogitsTE.ToArray(),
                "entropy" => [.. logits.Select(row => (float)RouterEntropy.Of(row))],
                "uncertain" => [.. logits.Select((_, token) => Uncertain(token))],
                "broadcast" => [.. logits.Select((_, token) => plan.IsBroadcast(token) ? 1f : 0f)],
                "dropped" => [.. dropped.Select(isDropped => isDropped ? 1f : 0f)],
                "expert_index" => [.. logits.Select((row, token) => dropped[token] ? 0f : LoadBalancingLoss.FirstChoice(row))],
                _ => throw new InvalidDataException($"{kind} is not known."),
            };
        }

        private float[] Output(RoutedLayer layer)
        {
            var weightsP = tape.CombineWeights(layer.LogitsTE, layer.Plan);
            var sumTD = tape.GroupedExperts(layer.XTD, weightsP, layer.Plan, layer.Experts).ToArray();
            return PassedTokens.Of(tape, layer.XTD, layer.LogitsTE, layer.Plan) is { } passed
                ? [.. sumTD.Zip(passed.ToArray(), (sum, more) => sum + more)]
                : sumTD;
        }

        private static bool[] Dropped(SequenceLayout layout, float[][] logits, int capacity)
        {
            var dropped = new bool[logits.Length];
            for (var sequence = 0; sequence < layout.Sequences; sequence++)
            {
                var come = new Dictionary<int, int>();
                for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
                {
                    var expert = LoadBalancingLoss.FirstChoice(logits[token]);
                    come[expert] = come.GetValueOrDefault(expert) + 1;
                    dropped[token] = come[expert] > capacity;
                }
            }

            return dropped;
        }
    }
}
