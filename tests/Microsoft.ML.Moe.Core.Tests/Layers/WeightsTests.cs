using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Layers;

/// <summary>Parameters made of a checkpoint's tensors by rules.</summary>
public sealed class WeightsTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void CopiesAreTransposedWhereTheRuleSaysSo()
    {
        Write(Tensor("a.0.w", [2, 3], [1, 2, 3, 4, 5, 6]), Tensor("a.0.b", [3], [7, 8, 9]));
        var rules = new WeightRules("Test").Copy("x.{l}.weight", "a.{l}.w", transpose: true).Copy("x.{l}.bias", "a.{l}.b");

        var made = Make(rules, ("x.0.weight", [3, 2]), ("x.0.bias", [3]));

        Assert.Equal([1, 4, 2, 5, 3, 6], made[0].Value.ToArray());
        Assert.Equal([7, 8, 9], made[1].Value.ToArray());
    }

    [Fact]
    public void ExpertsAreStackedByTheNumberThatTheTargetLacks()
    {
        Write(
            Tensor("l.1.experts.0.up", [3, 2], [1, 2, 3, 4, 5, 6]),
            Tensor("l.1.experts.1.up", [3, 2], [11, 12, 13, 14, 15, 16]));
        var rules = new WeightRules("Test").Stack("blocks.{l}.w1", "l.{l}.experts.{e}.up", transpose: true);

        var made = Make(rules, ("blocks.1.w1", [2, 2, 3]));

        Assert.Equal([1, 3, 5, 2, 4, 6, 11, 13, 15, 12, 14, 16], made[0].Value.ToArray());
    }

    [Fact]
    public void ADenseLayerIsRepeatedForEveryExpert()
    {
        Write(Tensor("up", [1, 2], [1, 2]));

        var made = Make(new WeightRules("Test").Repeat("w1", "up", transpose: true), ("w1", [3, 2, 1]));

        Assert.Equal([1, 2, 1, 2, 1, 2], made[0].Value.ToArray());
    }

    [Fact]
    public void RunsOfRowsAreStacked()
    {
        Write(Tensor("w", [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]), Tensor("odd", [3, 2], [1, 2, 3, 4, 5, 6]));
        var rules = new WeightRules("Test")
            .StackSlices("asStored", "w").StackSlices("transposed", "w", transpose: true).Copy("odd", "odd");

        var made = Make(rules, ("asStored", [2, 2, 2]), ("transposed", [2, 2, 2]), ("odd", [3, 2]));

        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], made[0].Value.ToArray());
        Assert.Equal([1, 3, 2, 4, 5, 7, 6, 8], made[1].Value.ToArray());
        var error = Assert.Throws<InvalidDataException>(() =>
            Make(new WeightRules("Test").StackSlices("x", "odd").Ignore("w"), ("x", [2, 2, 2])));
        Assert.Contains("cannot be divided into 1 × 2 parts", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PartsOfATensorAreSlicedAndJoined()
    {
        // rows 0–1 queries, 2–3 keys, 4–5 values
        Write(
            Tensor("qkv", [6, 2], [.. Enumerable.Range(0, 12).Select(i => (float)i)]),
            Tensor("gate", [1, 2], [70, 71]),
            Tensor("up", [1, 2], [80, 81]));
        var rules = new WeightRules("Test")
            .Slice("key", "qkv", part: 1, of: 3)
            .Slice("key.transposed", "qkv", part: 1, of: 3, transpose: true)
            .Slice("of.columns", "qkv", part: 1, of: 2, axis: 1)

            // two heads, each with its query, key and value: rows 0, 3 are queries
            .Slice("query.by.head", "qkv", part: 0, of: 3, groups: 2)
            .Concat("below", ["gate", "up"])
            .Concat("beside", ["gate", "up"], axis: 1, transpose: true);

        var made = Make(
            rules,
            ("key", [2, 2]),
            ("key.transposed", [2, 2]),
            ("of.columns", [6, 1]),
            ("query.by.head", [2, 2]),
            ("below", [2, 2]),
            ("beside", [2, 2]));

        Assert.Equal([4, 5, 6, 7], made[0].Value.ToArray());
        Assert.Equal([4, 6, 5, 7], made[1].Value.ToArray());
        Assert.Equal([1, 3, 5, 7, 9, 11], made[2].Value.ToArray());
        Assert.Equal([0, 1, 6, 7], made[3].Value.ToArray());
        Assert.Equal([70, 71, 80, 81], made[4].Value.ToArray());
        Assert.Equal([70, 80, 71, 81], made[5].Value.ToArray());
    }

    [Fact]
    public void LargeMatricesAreTransposedAndStackedLikeSmallOnes()
    {
        const int Rows = 1100;
        const int Columns = 77;
        var random = new Random(2);
        float[] Matrix() => [.. Enumerable.Range(0, Rows * Columns).Select(_ => (float)random.Next(256))];
        float[][] experts = [Matrix(), Matrix(), Matrix()];
        foreach (var type in new[] { ElementType.Float32, ElementType.BFloat16 })
        {
            Write([.. experts.Select((values, e) => Tensor($"e.{e}", [Rows, Columns], values, type))]);

            var made = Make(new WeightRules("Test").Stack("w", "e.{e}", transpose: true), ("w", [3, Columns, Rows]))[0];

            Assert.Equal(type, made.Value.ElementType);
            var actual = made.Value.ToArray();
            for (var i = 0; i < actual.Length; i++)
            {
                var (expert, column, row) = (i / Rows / Columns, i / Rows % Columns, i % Rows);
                Assert.Equal(experts[expert][row * Columns + column], actual[i]);
            }
        }
    }

    [Fact]
    public void AlternativesAreTriedInTheirOrder()
    {
        var rules = new WeightRules("Test")
            .Prefixes("", "model.")
            .Copy("norm", "norm.weight | norm.gamma")
            .Stack("w", "experts.{e}.w")
            .Slice("w", "experts.gate_up", part: 0, of: 2, axis: 1)
            .Copy("bias", "b")
            .Constant("bias", 0.5f)
            .Ignore("*.ids", "unused");
        Write(
            Tensor("model.norm.gamma", [1], [1]),
            Tensor("experts.gate_up", [2, 2], [1, 2, 3, 4]),
            Tensor("model.unused", [1], [1]),
            Tensor("x.ids", [1], [1]));

        var made = Make(rules, ("norm", [1]), ("w", [2, 1]), ("bias", [2]));

        Assert.Equal([1], made[0].Value.ToArray());
        Assert.Equal([1, 3], made[1].Value.ToArray());
        Assert.Equal([0.5f, 0.5f], made[2].Value.ToArray());
    }

    [Fact]
    public void EverythingThatIsWrongIsToldAtOnce()
    {
        Write(
            Tensor("a", [2], [1, 2]),
            Tensor("left", [2], [1, 2]),
            Tensor("e.0", [1], [1]),
            Tensor("e.2", [1], [1]),
            Tensor("odd", [3], [1, 2, 3]));
        var rules = new WeightRules("Bert").Copy("a", "a").Copy("b", "b | c").Stack("e", "e.{e}").Slice("odd", "odd", part: 0, of: 2);

        var error = Assert.Throws<InvalidDataException>(() => Make(rules, ("a", [3]), ("b", [1]), ("e", [3, 1]), ("odd", [1]), ("new", [1])));

        Assert.Contains(_folder.Path, error.Message, StringComparison.Ordinal);
        Assert.Contains("the weights of Bert", error.Message, StringComparison.Ordinal);
        Assert.Contains("3 missing (b or c, e.1, new (no rule says where it is))", error.Message, StringComparison.Ordinal);
        Assert.Contains("2 of another shape (a [2], for a [3], odd [3] cannot be divided", error.Message, StringComparison.Ordinal);
        Assert.Contains("1 unexpected (left)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARuleWithoutItsNumberIsRefused()
    {
        Assert.Throws<ArgumentException>(() => new WeightRules("Test").Copy("a", "x.{l}"));
        Assert.Throws<ArgumentException>(() => new WeightRules("Test").Copy("a", "x.*"));
        Assert.Throws<ArgumentException>(() => new WeightRules("Test").Stack("a.{l}", "x.{l}"));
        Assert.Throws<ArgumentException>(() => new WeightRules("Test").Stack("a", "x.{l}.{e}"));
        Assert.Throws<ArgumentOutOfRangeException>(() => new WeightRules("Test").Slice("a", "x", part: 2, of: 2));
    }

    [Fact]
    public void BFloat16StaysWhereItIsMultipliedWithUnlessItIsToBeTrained()
    {
        Write(Tensor("m", [2, 2], [1, 2, 3, 4], ElementType.BFloat16), Tensor("v", [2], [5, 6], ElementType.BFloat16));
        var rules = new WeightRules("Test").Copy("m", "m").Copy("v", "v");

        var (matrix, vector) = MakeBoth(WeightPrecision.AsStored);
        Assert.Equal(ElementType.BFloat16, matrix.Value.ElementType);
        Assert.Equal(ElementType.Float32, vector.Value.ElementType);
        (matrix, vector) = MakeBoth(WeightPrecision.Float32);
        Assert.Equal(ElementType.Float32, matrix.Value.ElementType);
        Assert.False(matrix.IsFrozen);
        Assert.Equal([1, 2, 3, 4], matrix.Value.ToArray());
        Assert.Equal([5, 6], vector.Value.ToArray());

        (Parameter Matrix, Parameter Vector) MakeBoth(WeightPrecision precision)
        {
            using var files = TensorFiles.Open(_folder.Path);
            var weights = Weights.From(files, rules, precision);
            var store = new ParameterStore(_engine, weights);
            var result = (store.Normal("m", ParameterRole.Weight, 1f, 2, 2), store.Constant("v", ParameterRole.Bias, 0f, 2));
            weights.Complete();
            return result;
        }
    }

    [Fact]
    public void MatricesInBFloat16AreViewsOfTheFileWhereverTheyLieThere()
    {
        const int Inputs = 37;
        const int Outputs = 29;
        var random = new Random(4);
        float[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)random.Next(256))];
        SavedTensor Saved(string name, params int[] shape) =>
            Tensor(name, shape, Numbers(shape.Aggregate((a, b) => a * b)), ElementType.BFloat16);
        Write(
            Saved("whole", Inputs, Outputs),
            Saved("linear", Outputs, Inputs),
            Saved("e.0", Outputs, Inputs),
            Saved("e.1", Outputs, Inputs),
            Saved("fused", 2, 2 * Outputs, Inputs),
            Saved("qkv", 3 * Outputs, Inputs),
            Saved("beside", Inputs, 2 * Outputs),
            Saved("row", 1, Inputs),
            Saved("column", Inputs, 1),
            Saved("interleaved", Inputs, 2 * Outputs),
            Saved("left", Inputs, Outputs));
        var rules = new WeightRules("Test")
            .Copy("whole", "whole")
            .Copy("linear", "linear", transpose: true)
            .Stack("experts", "e.{e}", transpose: true)
            .Repeat("repeated", "linear", transpose: true)
            .Slice("gate", "fused", part: 0, of: 2, axis: 1, transpose: true)
            .Slice("up", "fused", part: 1, of: 2, axis: 1, transpose: true)
            .Slice("keys", "qkv", part: 1, of: 3, transpose: true)
            .Slice("right", "beside", part: 1, of: 2, axis: 1)
            .Copy("row", "row", transpose: true)
            .Copy("column", "column", transpose: true)
            .Slice("odd", "interleaved", part: 1, of: 2, axis: 1, groups: Outputs)
            .Concat("joined", ["left", "whole"], axis: 1)
            .Ignore("*");
        (string Name, int[] Shape)[] views =
        [
            ("whole", [Inputs, Outputs]),
            ("linear", [Inputs, Outputs]),
            ("experts", [2, Inputs, Outputs]),
            ("repeated", [3, Inputs, Outputs]),
            ("gate", [2, Inputs, Outputs]),
            ("up", [2, Inputs, Outputs]),
            ("keys", [Inputs, Outputs]),
            ("right", [Inputs, Outputs]),
            ("row", [Inputs, 1]),
            ("column", [1, Inputs]),
        ];
        (string Name, int[] Shape)[] copies = [("odd", [Inputs, Outputs]), ("joined", [Inputs, 2 * Outputs])];

        var expected = Make(WeightPrecision.Float32);
        var actual = Make(WeightPrecision.AsStored);
        GC.Collect();
        GC.WaitForPendingFinalizers();

        for (var i = 0; i < expected.Count; i++)
        {
            Assert.Equal(ElementType.BFloat16, actual[i].Value.ElementType);
            Assert.Equal(expected[i].Value.ToArray(), actual[i].Value.ToArray());
            Assert.Equal(i >= views.Length, ((ManagedTensor)actual[i].Value).Stored!.OwnedBytes > 0);
        }

        var rounded = Make(WeightPrecision.Int8);
        for (var i = 0; i < expected.Count; i++)
        {
            Assert.Equal(ElementType.Int8, rounded[i].Value.ElementType);
            Assert.All(
                expected[i].Value.ToArray().Zip(rounded[i].Value.ToArray()), pair => Assert.InRange(pair.First - pair.Second, -1.01, 1.01));
        }

        List<Parameter> Make(WeightPrecision precision)
        {
            using var files = TensorFiles.Open(_folder.Path);
            var weights = Weights.From(files, rules, precision);
            List<Parameter> made =
                [.. views.Concat(copies).Select(p => weights.Create(_engine, p.Name, p.Shape, false, mayBeBFloat16: true, mayBeInt8: true)!)];
            weights.Complete();
            return made;
        }
    }

    [Fact]
    public void AStoreInitialisesWhatIsOptional()
    {
        Write(Tensor("encoder", [2, 2], [1, 2, 3, 4]));
        using var files = TensorFiles.Open(_folder.Path);
        var weights = Weights.From(files, new WeightRules("Test").Copy("encoder", "encoder").Copy("head", "head").Optional("head"));
        var store = new ParameterStore(_engine, weights, seed: 3);

        var encoder = store.Normal("encoder", ParameterRole.Weight, 1f, 2, 2);
        var head = store.Normal("head", ParameterRole.Weight, 1f, 2, 2);

        weights.Complete();
        Assert.Equal([1, 2, 3, 4], encoder.Value.ToArray());
        Assert.Equal(new ParameterStore(_engine, seed: 3).Normal("head", ParameterRole.Weight, 1f, 2, 2).Value.ToArray(), head.Value.ToArray());
    }

    [Fact]
    public void OwnFilesAndOtherModelsNeedNoRules()
    {
        var other = new ParameterStore(_engine, seed: 3);
        other.Normal("w", ParameterRole.Weight, 1f, 3, 2);
        other.Normal("table", ParameterRole.Embedding, 1f, 5, 2);
        Parameter[] parameters = [.. other.All.Select(p => p.Parameter)];
        var stream = new MemoryStream();
        SafeTensors.Write(stream, parameters);
        stream.Position = 0;

        foreach (var source in new TensorSource[] { SafeTensors.Read(stream), new ParameterSource("the other model", parameters) })
        {
            var weights = Weights.From(source);
            var store = new ParameterStore(_engine, weights);
            Assert.Equal(parameters[0].Value.ToArray(), store.Normal("w", ParameterRole.Weight, 1f, 3, 2).Value.ToArray());
            var table = store.Normal("table", ParameterRole.Embedding, 1f, 5, 2);
            Assert.True(table.SparseRows);
            Assert.Equal(parameters[1].Value.ToArray(), table.Value.ToArray());
            weights.Complete();

            var incomplete = Weights.From(source);
            new ParameterStore(_engine, incomplete).Normal("w", ParameterRole.Weight, 1f, 3, 2);
            var error = Assert.Throws<InvalidDataException>(incomplete.Complete);
            Assert.Contains(source.Name, error.Message, StringComparison.Ordinal);
            Assert.Contains("1 unexpected (table)", error.Message, StringComparison.Ordinal);
        }
    }

    [SkippableTheory]
    [InlineData("bert")]
    [InlineData("bert-bf16")]
    [InlineData("bert-fp16")]
    [InlineData("bert-sharded")]
    [InlineData("bert-legacy-names")]
    [InlineData("bert-mlm")]
    [InlineData("bert-classifier")]
    public void BertIsFoundUnderItsPublishedNames(string golden)
    {
        var folder = SharedFolder.Find($"goldens/models/{golden}");
        Skip.If(folder is null, "The golden checkpoints are not there.");
        using var files = TensorFiles.Open(folder!);
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder!, "config.json")));
        var weights = Weights.From(files, BertRules());
        var store = new ParameterStore(_engine, weights);
        var (width, hidden, layers) = (Size("hidden_size"), Size("intermediate_size"), Size("num_hidden_layers"));

        // a config may leave out what is the default
        var types = config.RootElement.TryGetProperty("type_vocab_size", out var given) ? given.GetInt32() : 2;
        store.Normal("embeddings.tokens", ParameterRole.Embedding, 1f, Size("vocab_size"), width);
        store.Normal("embeddings.positions", ParameterRole.Bias, 1f, Size("max_position_embeddings"), width);
        store.Normal("embeddings.types", ParameterRole.Bias, 1f, types, width);
        Norm("embeddings.norm");
        for (var layer = 0; layer < layers; layer++)
        {
            foreach (var part in new[] { "query", "key", "value", "output" })
                Linear($"layers.{layer}.attention.{part}", width, width);
            Norm($"layers.{layer}.attention.norm");
            Linear($"layers.{layer}.feedforward.up", width, hidden);
            Linear($"layers.{layer}.feedforward.down", hidden, width);
            Norm($"layers.{layer}.feedforward.norm");
        }

        weights.Complete();
        var query = store.All.Single(p => p.Parameter.Name == "layers.1.attention.query.weight").Parameter.Value;
        var source = files.Tensors.Values.Single(t => t.Name.EndsWith("encoder.layer.1.attention.self.query.weight", StringComparison.Ordinal));
        var published = new float[source.Elements];
        files.Read(source, 0, published);
        Assert.Equal(source.Type == TensorType.BF16 ? ElementType.BFloat16 : ElementType.Float32, query.ElementType);
        var actual = query.ToArray();
        for (var i = 0; i < actual.Length; i++)
            Assert.Equal(published[i % width * width + i / width], actual[i]);

        int Size(string name) => config.RootElement.GetProperty(name).GetInt32();

        void Linear(string name, int inputs, int outputs)
        {
            store.Normal($"{name}.weight", ParameterRole.Weight, 1f, inputs, outputs);
            store.Constant($"{name}.bias", ParameterRole.Bias, 0f, outputs);
        }

        void Norm(string name)
        {
            store.Constant($"{name}.gain", ParameterRole.Bias, 1f, width);
            store.Constant($"{name}.bias", ParameterRole.Bias, 0f, width);
        }
    }

    [SkippableFact]
    public void MixtralIsFoundInOneFileAndInShards()
    {
        foreach (var golden in new[] { "mixtral", "mixtral-sharded" })
        {
            var folder = SharedFolder.Find($"goldens/models/{golden}");
            Skip.If(folder is null, "The golden checkpoints are not there.");
            using var files = TensorFiles.Open(folder!);
            var rules = new WeightRules("Mixtral")
                .Copy("layers.{l}.router", "model.layers.{l}.block_sparse_moe.gate.weight", transpose: true)
                .Stack("layers.{l}.experts.w2", "model.layers.{l}.block_sparse_moe.experts.{e}.w2.weight", transpose: true)
                .Ignore("*");
            var router = files.Tensors["model.layers.0.block_sparse_moe.gate.weight"];
            var expert = files.Tensors["model.layers.0.block_sparse_moe.experts.0.w2.weight"];
            var weights = Weights.From(files, rules);

            var made = weights.Create(_engine, "layers.0.experts.w2", [router.Shape[0], expert.Shape[1], expert.Shape[0]], false, true);

            weights.Complete();
            var last = files.Tensors[$"model.layers.0.block_sparse_moe.experts.{router.Shape[0] - 1}.w2.weight"];
            var published = new float[last.Elements];
            files.Read(last, 0, published);
            var actual = made!.Value.ToArray()[^published.Length..];
            for (var i = 0; i < actual.Length; i++)
                Assert.Equal(published[i % expert.Shape[0] * expert.Shape[1] + i / expert.Shape[0]], actual[i]);
        }
    }

    private static WeightRules BertRules() => new WeightRules("Bert")
        .Prefixes("", "bert.")
        .Copy("embeddings.tokens", "embeddings.word_embeddings.weight")
        .Copy("embeddings.positions", "embeddings.position_embeddings.weight")
        .Copy("embeddings.types", "embeddings.token_type_embeddings.weight")
        .Copy("embeddings.norm.gain", "embeddings.LayerNorm.weight | embeddings.LayerNorm.gamma")
        .Copy("embeddings.norm.bias", "embeddings.LayerNorm.bias | embeddings.LayerNorm.beta")
        .Copy("layers.{l}.attention.query.weight", "encoder.layer.{l}.attention.self.query.weight", transpose: true)
        .Copy("layers.{l}.attention.query.bias", "encoder.layer.{l}.attention.self.query.bias")
        .Copy("layers.{l}.attention.key.weight", "encoder.layer.{l}.attention.self.key.weight", transpose: true)
        .Copy("layers.{l}.attention.key.bias", "encoder.layer.{l}.attention.self.key.bias")
        .Copy("layers.{l}.attention.value.weight", "encoder.layer.{l}.attention.self.value.weight", transpose: true)
        .Copy("layers.{l}.attention.value.bias", "encoder.layer.{l}.attention.self.value.bias")
        .Copy("layers.{l}.attention.output.weight", "encoder.layer.{l}.attention.output.dense.weight", transpose: true)
        .Copy("layers.{l}.attention.output.bias", "encoder.layer.{l}.attention.output.dense.bias")
        .Copy(
            "layers.{l}.attention.norm.gain",
            "encoder.layer.{l}.attention.output.LayerNorm.weight | encoder.layer.{l}.attention.output.LayerNorm.gamma")
        .Copy(
            "layers.{l}.attention.norm.bias",
            "encoder.layer.{l}.attention.output.LayerNorm.bias | encoder.layer.{l}.attention.output.LayerNorm.beta")
        .Copy("layers.{l}.feedforward.up.weight", "encoder.layer.{l}.intermediate.dense.weight", transpose: true)
        .Copy("layers.{l}.feedforward.up.bias", "encoder.layer.{l}.intermediate.dense.bias")
        .Copy("layers.{l}.feedforward.down.weight", "encoder.layer.{l}.output.dense.weight", transpose: true)
        .Copy("layers.{l}.feedforward.down.bias", "encoder.layer.{l}.output.dense.bias")
        .Copy("layers.{l}.feedforward.norm.gain", "encoder.layer.{l}.output.LayerNorm.weight | encoder.layer.{l}.output.LayerNorm.gamma")
        .Copy("layers.{l}.feedforward.norm.bias", "encoder.layer.{l}.output.LayerNorm.bias | encoder.layer.{l}.output.LayerNorm.beta")
        .Ignore("embeddings.position_ids", "pooler.*", "cls.*", "classifier.*");

    private static SavedTensor Tensor(string name, int[] shape, float[] values, ElementType type = ElementType.Float32) =>
        new(name, shape, type, () => values);

    private void Write(params SavedTensor[] tensors) => SafeTensorsWriter.WriteFolder(_folder.Path, tensors);

    private List<Parameter> Make(WeightRules rules, params (string Name, int[] Shape)[] parameters)
    {
        using var files = TensorFiles.Open(_folder.Path);
        var weights = Weights.From(files, rules);
        List<Parameter> made = [.. parameters.Select(p => weights.Create(_engine, p.Name, p.Shape, sparseRows: false, mayBeBFloat16: true)!)];
        weights.Complete();
        return made;
    }
}
