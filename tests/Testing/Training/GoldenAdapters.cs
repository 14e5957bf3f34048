using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Adapters;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A training of adapters beside a published model as the goldens tell it, step by step.</summary>
internal sealed class GoldenAdapters : IDisposable
{
    private const double Tolerance = 1e-5;

    private readonly string _path;
    private readonly JsonDocument _expected;
    private readonly TensorFiles _tensors;
    private readonly WeightRules _rules;
    private readonly Model<EncodedText> _base;

    private GoldenAdapters(string path, Engine engine)
    {
        _path = path;
        _expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "expected.json")));
        _tensors = TensorFiles.Open(Path.Combine(path, "expected.safetensors"));
        var folder = PublishedFolder.Open(path);
        _rules = folder.Encoder.CreateRules();
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds());
        _base = folder.Load(engine, input, folder.Encoder.WritingHead!, change: AsTrained);
    }

    private Engine Engine => _base.Engine;

    private bool IsEncoderDecoder => _base.Head is DecoderHead;

    public static bool IsThere(string folder)
    {
        using var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        return expected.RootElement.TryGetProperty("kind", out var kind) && kind.GetString() == "lora-training";
    }

    public static GoldenAdapters Open(string path, Engine engine) => new(path, engine);

    /// <summary>Losses, norms, gradients and adapters of all steps, and what the trained ones give.</summary>
    public void CompareTraining()
    {
        var model = _base.WithAdapters(Path.Combine(_path, "adapter_initial"));
        Assert.Equal(model.Parameters.Of(ParameterRole.Adapter).Sum(p => (long)p.Value.Length), model.TrainedParameterCount);
        Compare("probe.base_logits", Probe(model));

        var settings = _expected.RootElement.GetProperty("optimizer");
        var peak = settings.GetProperty("lr").GetSingle();
        var (beta1, beta2) = (settings.GetProperty("betas")[0].GetSingle(), settings.GetProperty("betas")[1].GetSingle());
        using var optimizer = Engine.CreateAdamW(
        [
            new ParameterGroup(
                model.Parameters.Of(ParameterRole.Adapter),
                peak,
                settings.GetProperty("weight_decay").GetSingle(),
                beta1,
                beta2,
                settings.GetProperty("eps").GetSingle()),
        ]);
        var clip = settings.TryGetProperty("clip_norm", out var norm) && norm.ValueKind == JsonValueKind.Number
            ? norm.GetSingle()
            : float.PositiveInfinity;
        // AdamW makes steps of the size of lr out of gradients that are almost nothing: so far single precision is from double after a step
        var rounding = 2 * _expected.RootElement.GetProperty("float32_minus_float64").GetDouble();
        var snapshots = _expected.RootElement.GetProperty("snapshots").EnumerateArray().Select(step => step.GetInt32()).ToHashSet();
        foreach (var step in _expected.RootElement.GetProperty("steps").EnumerateArray())
        {
            var number = step.GetProperty("step").GetInt32();
            var loss = Accumulate(model, [.. step.GetProperty("batches").EnumerateArray().Select(batch => batch.GetInt32())]);
            Near($"loss of step {number}", step.GetProperty("loss").GetDouble(), loss, 1);
            CompareAdapters($"grad.{number}.", model, Gradient, number == 1 ? 0 : rounding);
            optimizer.ClipGradients(clip);
            var found = step.GetProperty("grad_norm_before_clip").GetDouble();
            Near($"gradient norm of step {number}", found, optimizer.GradientNorm, found);
            optimizer.Step((float)(step.GetProperty("lr").GetDouble() / peak));
            if (snapshots.Contains(number))
                Assert.True(CompareAdapters($"after.{number}.", model, p => p.Value.ToArray(), rounding) > 0, $"no adapters after step {number}");
        }

        Compare("probe.adapter_logits", Probe(model));
    }

    /// <summary>The trained adapters, as they were saved: beside the weights, worked into them, and saved again.</summary>
    public void CompareFiles()
    {
        foreach (var folder in new[] { "adapter_initial", "adapter" })
        {
            var model = _base.WithAdapters(Path.Combine(_path, folder));
            using var target = new TemporaryFolder();
            model.SaveAdapters(target.Path);
            CompareFiles(Path.Combine(_path, folder), target.Path);
        }

        var trained = _base.WithAdapters(Path.Combine(_path, "adapter"));
        Compare("probe.adapter_logits", Probe(trained));
        Compare("probe.base_logits", Probe(trained.WithoutAdapters()));
        var merged = trained.Merged();
        Compare("probe.merged_logits", Probe(merged));
        CompareMerged(merged);
    }

    public void Dispose()
    {
        _expected.Dispose();
        _tensors.Dispose();
    }

    private static PublishedConfig AsTrained(PublishedConfig config)
    {
        config = config with { Dropout = 0f, AttentionDropout = 0f };
        if (config is EncoderDecoderConfig)
            config = config with { Router = config.Router with { MaskPadding = false } };
        return config is SwitchTransformersConfig sparse ? sparse with { RouterJitter = 0f } : config;
    }

    private double Accumulate(Model<EncodedText> model, int[] batches)
    {
        var sum = 0.0;
        foreach (var number in batches)
        {
            using var tape = Engine.BeginTape(training: true);
            var rows = new Rows(_tensors, $"batch.{number}.", IsEncoderDecoder);
            var encoded = model.Encode(tape, rows.Batch);
            var loss = rows.Loss(tape, model, encoded);
            foreach (var added in tape.AuxiliaryLosses)
                loss = tape.Add(loss, added);
            tape.Backward(loss, 1f / batches.Length);
            sum += loss.ToArray()[0];
        }

        return sum / batches.Length;
    }

    /// <summary>Scores of the first batch's tokens, [B·S, V], 0 for those that the original pads with.</summary>
    private float[] Probe(Model<EncodedText> model)
    {
        using var tape = Engine.BeginTape(training: false);
        var rows = new Rows(_tensors, "probe.", IsEncoderDecoder);
        return rows.Scores(tape, model, model.Encode(tape, rows.Batch));
    }

    private void Compare(string name, float[] actual)
    {
        var expected = Floats(_tensors, name);
        var vocabulary = _tensors.Tensors[name].Shape[^1];
        var mask = IsEncoderDecoder ? null : Floats(_tensors, "probe.attention_mask");
        var largest = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
            if (mask is null || mask[i / vocabulary] > 0)
                Near($"{name}[{i}]", expected[i], actual[i], largest);
    }

    private int CompareAdapters(string prefix, Model<EncodedText> model, Func<Parameter, float[]> read, double rounding = 0)
    {
        var compared = 0;
        foreach (var tensor in PeftTensor.Of(model.Adapted).Where(t => _tensors.Tensors.ContainsKey(prefix + t.Name)))
        {
            var (expected, actual) = (Floats(_tensors, prefix + tensor.Name), tensor.Gather(read));
            Assert.Equal(_tensors.Tensors[prefix + tensor.Name].Shape, tensor.Shape);
            var largest = expected.Max(Math.Abs);
            foreach (var (i, value) in expected.Index())
                Near($"{prefix}{tensor.Name}[{i}]", value, actual[i], largest, rounding);
            compared++;
        }

        Assert.Equal(_tensors.Tensors.Keys.Count(name => name.StartsWith(prefix, StringComparison.Ordinal)), compared);
        return compared;
    }

    private void CompareMerged(Model<EncodedText> merged)
    {
        var source = new Part(_tensors, "merged.");
        var used = new HashSet<string>();
        foreach (var parameter in merged.Parameters.All.Select(p => p.Parameter))
        {
            if (_rules.Find(parameter.Name, parameter.Value.Shape.ToArray(), source.Tensors).Block is not { } block
                || block.Pieces.Any(piece => piece.Tensor is null))
                continue;
            used.UnionWith(block.Pieces.Select(piece => piece.Tensor!.Name));
            var expected = new float[parameter.Value.Length];
            BlockReader<float>.Read(Engine, source, block, expected);
            var largest = expected.Max(Math.Abs);
            foreach (var (i, value) in parameter.Value.ToArray().Index())
                Near($"merged {parameter.Name}[{i}]", expected[i], value, largest);
        }

        Assert.Equal(source.Tensors.Keys.Order(), used.Order());
    }

    private static void CompareFiles(string expected, string actual)
    {
        using (var one = TensorFiles.Open(Path.Combine(expected, "adapter_model.safetensors")))
        using (var other = TensorFiles.Open(Path.Combine(actual, "adapter_model.safetensors")))
        {
            Assert.Equal(one.Tensors.Keys.Order(), other.Tensors.Keys.Order());
            foreach (var (name, tensor) in one.Tensors)
            {
                Assert.Equal((tensor.Type, tensor.ShapeText), (other.Tensors[name].Type, other.Tensors[name].ShapeText));
                Assert.Equal(
                    Floats(one, name).Select(BitConverter.SingleToInt32Bits), Floats(other, name).Select(BitConverter.SingleToInt32Bits));
            }
        }

        var (settings, saved) = (Json(expected), Json(actual));
        foreach (var name in new[] { "use_rslora", "peft_type", "task_type", "bias", "rank_pattern", "alpha_pattern" })
            Assert.Equal(settings[name].ToString(), saved[name].ToString());
        foreach (var name in new[] { "r", "lora_alpha", "lora_dropout" })
            Assert.Equal(settings[name].GetDouble(), saved[name].GetDouble());
        foreach (var name in new[] { "target_modules", "target_parameters" })
            Assert.Equal(Names(settings, name), Names(saved, name));

        static Dictionary<string, JsonElement> Json(string folder) =>
            JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!;

        static IEnumerable<string> Names(Dictionary<string, JsonElement> json, string name) =>
            json[name].ValueKind != JsonValueKind.Array ? [] : json[name].EnumerateArray().Select(n => n.GetString()!).Order(StringComparer.Ordinal);
    }

    private static float[] Gradient(Parameter parameter)
    {
        var gradient = new float[parameter.Value.Length];
        parameter.Value.CopyGradientTo(gradient);
        return gradient;
    }

    private static void Near(string what, double expected, double actual, double scale, double rounding = 0) => Assert.True(
        Math.Abs(expected - actual) <= Tolerance * scale + rounding + 1e-8, $"{what}: expected {expected}, got {actual}, of {scale}.");

    private static float[] Floats(TensorSource source, string name)
    {
        var tensor = source.Tensors[name];
        var values = new float[tensor.Elements];
        source.Read(tensor, 0, values);
        return values;
    }

    /// <summary>A padded batch: an encoder–decoder reads its padding, which competes for experts there; a causal model does without.</summary>
    private sealed class Rows
    {
        private readonly int[] _places;
        private readonly int[][]? _labels;
        private readonly int _tokens;

        public Rows(TensorSource tensors, string prefix, bool isEncoderDecoder)
        {
            var shape = tensors.Tensors[prefix + "input_ids"].Shape;
            var (ids, mask) = (Integers("input_ids"), Integers("attention_mask"));
            _labels = tensors.Tensors.TryGetValue(prefix + "labels", out var labels) ? [.. Integers("labels").Chunk(labels.Shape[1])] : null;
            _tokens = ids.Length;
            _places = [.. Enumerable.Range(0, ids.Length).Where(i => isEncoderDecoder || mask[i] > 0)];
            int[] offsets = [.. Enumerable.Range(0, shape[0] + 1).Select(row => _places.Count(place => place < row * shape[1]))];
            bool[]? isToken = isEncoderDecoder && mask.Contains(0) ? [.. mask.Select(value => value > 0)] : null;
            Batch = new TokenIdBatch().Reset(
                new SequenceLayout(offsets, isToken),
                _places.Select(place => ids[place]).ToArray(),
                default,
                isEncoderDecoder ? [.. ids.Chunk(shape[1]).Select(RowOf)] : null);

            int[] Integers(string name) => [.. Floats(tensors, prefix + name).Select(value => (int)value)];

            EncodedText RowOf(int[] row, int number) => new(new TokenIds(row) { Targets = _labels?[number] }, 0, isEmpty: false);
        }

        public TokenIdBatch Batch { get; }

        public Tensor Loss(Tape tape, Model<EncodedText> model, EncoderOutput encoded)
        {
            if (model.Head is DecoderHead decoder)
                return decoder.Loss(tape, decoder.Forward(tape, encoded, Batch), Batch, new Targets(), new TrainingConfig());
            int[] labels = [.. _labels!.SelectMany(row => row)];
            var targets = _places.Index()
                .Where(p => !Batch.Layout.Offsets.Contains(p.Index) && labels[p.Item] != TokenIds.NotCounted).ToList();
            var xMD = tape.Embedding(encoded.Last, [.. targets.Select(p => p.Index - 1)]);
            return tape.CrossEntropy(((NextTokenHead)model.Head).Scores(tape, xMD), [.. targets.Select(p => labels[p.Item])], []);
        }

        /// <summary>Scores of the tokens, of a decoder those that it reads: 0 for padding.</summary>
        public float[] Scores(Tape tape, Model<EncodedText> model, EncoderOutput encoded)
        {
            if (model.Head is DecoderHead decoder)
            {
                var targets = DecoderTargets.Of(_labels!, decoder.StartId, 0);
                var context = encoded.Pass.Over(targets.Layout, null);
                return decoder.Scores(tape, decoder.Decode(context, targets.Inputs, new(encoded.Last, Batch.Layout)).Last).ToArray();
            }

            var own = ((NextTokenHead)model.Head).Scores(tape, encoded.Last).ToArray();
            var vocabulary = own.Length / _places.Length;
            var scores = new float[_tokens * vocabulary];
            foreach (var (token, place) in _places.Index())
                own.AsSpan(token * vocabulary, vocabulary).CopyTo(scores.AsSpan(place * vocabulary));
            return scores;
        }
    }

    /// <summary>The tensors whose names begin with a prefix, without it.</summary>
    private sealed class Part(TensorSource inner, string prefix) : TensorSource
    {
        public override string Name => inner.Name;

        public override IReadOnlyDictionary<string, TensorInfo> Tensors { get; } = inner.Tensors
            .Where(t => t.Key.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(t => t.Key[prefix.Length..], t => t.Value with { Name = t.Key[prefix.Length..] });

        protected override void ReadSingle(TensorInfo tensor, long first, Span<float> values) =>
            inner.Read(inner.Tensors[prefix + tensor.Name], first, values);

        protected override void ReadBits(TensorInfo tensor, long first, Span<ushort> bits) =>
            inner.ReadBFloat16(inner.Tensors[prefix + tensor.Name], first, bits);
    }
}
