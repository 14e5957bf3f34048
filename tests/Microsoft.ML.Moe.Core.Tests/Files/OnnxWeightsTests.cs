using Microsoft.ML.Moe.Files;
using static Microsoft.ML.Moe.Tests.Files.OnnxBytes;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>Weights out of ONNX models: names, layout, and what is wrong with a file.</summary>
public sealed class OnnxWeightsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NamedTensorsStayAsTheyAre(bool isPacked)
    {
        using var weights = Open(Model(
            Tensor("embeddings.word_embeddings.weight", [3, 2], isPacked), Tensor("embeddings.LayerNorm.bias", [2], isPacked)));

        Assert.Equal(["embeddings.LayerNorm.bias", "embeddings.word_embeddings.weight"], weights.Tensors.Keys.Order());
        Assert.Equal([3, 2], weights.Tensors["embeddings.word_embeddings.weight"].Shape);
        Assert.Equal(Values([3, 2]), ReadAll(weights, "embeddings.word_embeddings.weight"));
        Assert.Equal(Values([2]), ReadAll(weights, "embeddings.LayerNorm.bias"));
    }

    [Fact]
    public void NumbersMayStandAsFloatDataInOnePiece()
    {
        using var weights = Open(Model(
            Tensor("a.weight", [3L, 2], true, FloatType, null, Bytes(4, Raw([3, 2]))),
            Tensor("a.bias", [1L], true, FloatType, null, [4 << 3 | 5, .. Raw([1])])));

        Assert.Equal(Values([3, 2]), ReadAll(weights, "a.weight"));
        Assert.Equal(Values([1]), ReadAll(weights, "a.bias"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void NumberedMatrixIsNamedByItsBiasAndTransposed(bool isBiasFirst)
    {
        // the bias of another layer stands first, and the order of nodes is none
        using var weights = Open(Model(
            Node("Add", isBiasFirst ? ["x.dense.bias", "12"] : ["12", "x.dense.bias"], "13"),
            Node("MatMul", ["11", "927"], "12"),
            Node("Add", ["11", "other.bias"], "14"),
            Tensor("other.bias", [3]),
            Tensor("927", [2, 3]),
            Tensor("x.dense.bias", [3])));

        Assert.Equal(["other.bias", "x.dense.bias", "x.dense.weight"], weights.Tensors.Keys.Order());
        Assert.Equal([3, 2], weights.Tensors["x.dense.weight"].Shape);
        Assert.Equal([0.5f, 3.5f, 1.5f, 4.5f, 2.5f, 5.5f], ReadAll(weights, "x.dense.weight"));
        var part = new float[3];
        weights.Read(weights.Tensors["x.dense.weight"], 2, part);
        Assert.Equal([1.5f, 4.5f, 2.5f], part);
    }

    [Theory]
    [InlineData("pooler.dense.weight", true, false)]
    [InlineData("33", true, false)]
    [InlineData("33", false, true)]
    [InlineData("33", null, true)]
    public void MatrixOfAGemmIsTransposedUnlessTheGemmTransposesIt(string name, bool? transB, bool isTransposed)
    {
        using var weights = Open(Model(
            Node("Gemm", ["1", name, "pooler.dense.bias"], "2", transB), Tensor(name, [2, 2]), Tensor("pooler.dense.bias", [2])));

        Assert.Equal(isTransposed ? [0.5f, 2.5f, 1.5f, 3.5f] : Values([2, 2]), ReadAll(weights, "pooler.dense.weight"));
    }

    [Fact]
    public void MatrixThatTwoProductsShareIsOne()
    {
        using var weights = Open(Model(
            Linear("1", "w", "a.bias", "2"), Linear("5", "w", "a.bias", "6"), Tensor("w", [2, 2]), Tensor("a.bias", [2])));

        Assert.Equal(["a.bias", "a.weight"], weights.Tensors.Keys.Order());
    }

    [Fact]
    public void IntegersAndSingleNumbersAreNoWeights()
    {
        using var weights = Open(Model(
            Tensor("925", [1], type: LongType), Tensor("position_ids", [1L, 512], true, LongType, new byte[4096]), Tensor("epsilon", []),
            Tensor("half", [1]), Node("Add", ["x", "epsilon"], "y"), Tensor("a.bias", [4])));

        Assert.Equal(["a.bias"], weights.Tensors.Keys);
    }

    [Fact]
    public void ModelMayBePartOfAFile()
    {
        var model = Model(Tensor("a.bias", [5]));
        File.WriteAllBytes(_folder["part"], [1, 2, 3, .. model, 4, 5]);

        using var weights = OnnxWeights.Open(_folder["part"], 3, model.Length, "the part");

        Assert.Equal("the part", weights.Name);
        Assert.Equal(Values([5]), ReadAll(weights, "a.bias"));
        Assert.Throws<InvalidDataException>(() => OnnxWeights.Open(_folder["part"], 3, model.Length + 3));
        Assert.Throws<InvalidDataException>(() => OnnxWeights.Open(_folder["part"], -1, 3));
    }

    public static TheoryData<string, byte[]> WrongModels => new()
    {
        { "no graph", Number(1, 7) },
        { "two graphs", [.. Model(), .. Model()] },
        { "neither has it a name", Model(Tensor("927", [2, 3])) },
        { "neither has it a name", Model(Linear("1", "927", "3", "2"), Tensor("927", [2, 3])) },
        { "neither has it a name", Model(Linear("927", "1", "a.bias", "2"), Tensor("927", [3, 3]), Tensor("a.bias", [3])) },
        { "a bias of shape [2]", Model(Linear("1", "927", "a.bias", "2"), Tensor("927", [2, 3]), Tensor("a.bias", [2])) },
        {
            "both a.bias and b.bias",
            Model(
                Linear("1", "w", "a.bias", "2"), Node("Add", ["b.bias", "2"], "4"),
                Tensor("w", [2, 2]), Tensor("a.bias", [2]), Tensor("b.bias", [2]))
        },
        {
            "matrix of a.weight and of b.weight",
            Model(
                Linear("1", "w", "a.bias", "2"), Linear("5", "w", "b.bias", "6"),
                Tensor("w", [2, 2]), Tensor("a.bias", [2]), Tensor("b.bias", [2]))
        },
        {
            "two tensors for a.weight",
            Model(Linear("1", "w", "a.bias", "2"), Tensor("a.weight", [2, 2]), Tensor("w", [2, 2]), Tensor("a.bias", [2]))
        },
        { "two tensors a.bias", Model(Tensor("a.bias", [2]), Tensor("a.bias", [2])) },
        { "ONNX's type 10", Model(Tensor("a.weight", [2L, 2], true, HalfType, new byte[8])) },
        { "ONNX's type 3", Model(Tensor("a.weight_quantized", [2L, 2], true, 3, new byte[4])) },
        { "no raw data", Model(Tensor("a.bias", [2L], true, FloatType, null)) },
        { "has 8 bytes of float data, not 12", Model(Tensor("a.bias", [3L], true, FloatType, null, Bytes(4, new byte[8]))) },
        { "has 0 bytes of float data, not 4", Model(Tensor("a.bias", [1L], true, FloatType, null, Number(4, 1))) },
        { "are in 2 pieces", Model(Tensor("a.bias", [2L], true, FloatType, new byte[8], Bytes(4, new byte[8]))) },
        { "are in 2 pieces", Model(Tensor("a.bias", [2L], true, FloatType, null, [4 << 3 | 5, 0, 0, 0, 0, 4 << 3 | 5, 0, 0, 0, 0])) },
        { "has 8 bytes of raw data, not 12", Model(Tensor("a.bias", [3L], true, FloatType, new byte[8])) },
        {
            // more elements than 64 bits can count, and than 128 bits
            "8 bytes of raw data, not 36893488147419103228",
            Model(Tensor("a.weight", [.. Enumerable.Repeat((long)int.MaxValue, 4)], true, FloatType, new byte[8]))
        },
        {
            "0 bytes of raw data, not 36893488147419103228",
            Model(Tensor("a.weight", [.. Enumerable.Repeat(1L << 30, 8)], true, FloatType, []))
        },
        { "the shape [-1]", Model(Tensor("a.bias", [-1L], false, FloatType, [])) },
        { "the shape [4294967297]", Model(Tensor("a.bias", [4294967297L], false, FloatType, new byte[4])) },
        { "over 8 values", Model(Tensor("a.bias", new long[9], true, FloatType, [])) },
        { "in another file", Model(Tensor("a.bias", [2L], true, FloatType, null, Number(14, 1))) },
        { "claims 1000 bytes, but 1 follow", [7 << 3 | 2, .. Varint(1000), 0] },
        { "claims 18446744073709551615 bytes", [7 << 3 | 2, .. Varint(-1), 0] },
        { "over 10 bytes", [7 << 3, .. Enumerable.Repeat((byte)0xFF, 11)] },
        { "wire type 3", [7 << 3 | 3] },
        { "no field 0", [2, 0] },
        { "field 1 is a number, not text", Model(Bytes(1, Number(1, 3))) },
        { "field 2 is no integer", Model(Bytes(5, Bytes(2, "x"))) },
    };

    [Theory]
    [MemberData(nameof(WrongModels))]
    public void WrongModelIsRefusedByName(string message, byte[] model)
    {
        var error = Assert.Throws<InvalidDataException>(() => Open(model));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("model.onnx", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CutOffModelNeverGivesAWholeTensor()
    {
        var model = Model(
            Linear("1", "927", "a.bias", "2"), Tensor("927", [2, 3]), Tensor("a.bias", [3], isPacked: true));

        for (var length = 0; length < model.Length; length++)
        {
            var part = model[..length];
            Assert.Throws<InvalidDataException>(() => Open(part));
        }
    }

    [Fact]
    public void AnyChangedByteGivesWeightsOrAnError()
    {
        var model = Model(
            Linear("1", "927", "a.bias", "2"), Tensor("927", [2, 3]), Tensor("a.bias", [3], isPacked: true));

        for (var i = 0; i < model.Length; i++)
        {
            foreach (var flip in new byte[] { 0x01, 0x08, 0x80, 0xFF })
            {
                byte[] changed = [.. model];
                changed[i] ^= flip;
                try
                {
                    using var weights = Open(changed);
                    Assert.All(weights.Tensors.Keys, name => ReadAll(weights, name));
                }
                catch (InvalidDataException)
                {
                    // as it should be
                }
            }
        }
    }

    // a product and the sum after it
    private static byte[] Linear(string input, string matrix, string bias, string product) =>
        [.. Node("MatMul", [input, matrix], product), .. Node("Add", [product, bias], "sum")];

    private static float[] ReadAll(OnnxWeights weights, string name)
    {
        var values = new float[weights.Tensors[name].Elements];
        weights.Read(weights.Tensors[name], 0, values);
        return values;
    }

    private OnnxWeights Open(byte[] model)
    {
        File.WriteAllBytes(_folder["model.onnx"], model);
        return OnnxWeights.Open(_folder["model.onnx"]);
    }
}
