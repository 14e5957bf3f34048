using System.Globalization;
using Google.Protobuf;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Onnx.Format;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Onnx.Tracing;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>Models whose weights are more than memory, or one file, or one array of bytes, holds.</summary>
public sealed class LargeModelTests : IDisposable
{
    private const int Megabyte = 1 << 20;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Parts_of_a_tensor_are_its_numbers_in_order()
    {
        var tensor = new SourceTensor(3, 700, 1000);
        var (first, count) = (500, 2_000_000);
        var parts = TensorParts.Of(tensor, first, count).Select(part => part.ToArray()).ToList();
        Assert.Equal(2, parts.Count);
        Assert.All(parts, part => Assert.InRange(part.Length, 1, TensorParts.Most));
        Assert.Equal(Enumerable.Range(first, count).Select(SourceTensor.ValueAt), parts.SelectMany(part => part));
        Assert.Empty(TensorParts.Of(new SourceTensor(0, 5)));
    }

    [Fact]
    public void Parts_of_transposed_matrices_are_their_columns_in_order()
    {
        var (experts, inputs, outputs) = (2, 1100, 1000);
        var parts = TensorParts.OfTransposed(new SourceTensor(experts, inputs, outputs)).Select(part => part.ToArray()).ToList();
        Assert.Equal(2 * experts, parts.Count);
        var expected =
            from expert in Enumerable.Range(0, experts)
            from output in Enumerable.Range(0, outputs)
            from input in Enumerable.Range(0, inputs)
            select SourceTensor.ValueAt((expert * inputs + input) * outputs + output);
        Assert.Equal(expected, parts.SelectMany(part => part));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Writing_many_experts_takes_the_memory_of_one_part(bool outside)
    {
        const int Experts = 64;
        var stack = new SourceTensor(Experts, 512, 512);
        var graph = new GraphBuilder();
        var input = graph.Input("x", DataType.Float, "rows", 512);
        var rows = new TracedRows { Count = 11, Tokens = new SequenceLayout([.. Enumerable.Range(0, 12)]), Runtime = graph.SizeOf(input, 0) };
        using var tape = new OnnxTape(graph, rows, new Dictionary<Tensor, string> { [stack] = "stack" }, OnnxOperators.Portable);
        for (var expert = 0; expert < Experts; expert++)
            graph.Output(graph.MatMul(input, tape.OfStack(stack, expert)), $"y{expert}", DataType.Float, "rows", 512);
        graph.RemoveUnused();
        using var stream = new CountingStream();
        var before = GC.GetAllocatedBytesForCurrentThread();

        if (outside)
            OnnxWriter.WriteOutside(graph.Initializers, stream, "model.onnx.data");
        else
            OnnxWriter.WriteInside(graph, stream, []);

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(stream.Length, Experts * Megabyte, Experts * Megabyte + Megabyte);
        Assert.InRange(allocated, 0, 3 * Megabyte);
        Assert.Equal((long)Experts * 512 * 512, stack.NumbersRead);
        Assert.InRange(stack.MostAtOnce, 1, TensorParts.Most);
    }

    [Fact]
    public void Exporting_a_model_takes_less_memory_than_its_experts()
    {
        using var engine = new ManagedEngine(1);
        var input = TableTextInput.Create(new TextInputConfig { HashBits = 9, MaximumTokens = 16 });
        var encoder = new EncoderConfig
        {
            Width = 64, Layers = 1, Heads = 2, Experts = 64, ExpertWidth = 1024, Router = Router.TokenChoice(2),
        };
        var config = new ModelConfig { Input = input.Config, Encoder = encoder, Head = new ClassesHeadConfig { Classes = 3 } };
        var model = new Model<EncodedText>(engine, config, input, new ParameterStore(engine, seed: 3));
        var stacks = model.Parameters.All.Where(p => p.Parameter.Value.Rank == 3).Sum(p => sizeof(float) * (long)p.Parameter.Value.Length);
        Assert.True(stacks >= 32 * Megabyte);
        var before = GC.GetAllocatedBytesForCurrentThread();

        OnnxExport.Save(model, _folder["model.onnx"]);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, stacks / 2);
        Assert.True(new FileInfo(_folder["model.onnx"]).Length > stacks);
    }

    [Fact]
    public void A_tensor_of_more_than_2_GB_goes_beside_the_file_and_so_does_what_follows()
    {
        // the embeddings of Qwen 2: 2.48 GB
        const int Words = 151_665, Width = 4096;
        var part = new float[Megabyte];
        var graph = new GraphBuilder();
        var before = graph.Constant("before", [999], [new float[999]]);
        var table = graph.Constant("table", [Words, Width], PartsOf(part, (long)Words * Width));
        var behind = graph.Constant("behind", [1000], [new float[1000]]);
        graph.Output(graph.Add(graph.Add(before, table), behind), "y", DataType.Float, Words, Width);
        using var stream = new CountingStream();

        var entries = OnnxWriter.WriteOutside(graph.Initializers, stream, "model.onnx.data");

        Assert.All(entries, entry => Assert.Null(entry.Inside));
        var bytes = 4L * Words * Width;
        Assert.Equal([("before", 0, 3996), ("table", 4096, bytes), ("behind", 4096 + bytes, 4000)], entries.Select(PlaceOf));
        Assert.Equal(4096 + bytes + 4000, stream.Length);
        Assert.True(PlaceOf(entries[2]).Offset > int.MaxValue);
    }

    [Fact]
    public void Several_that_are_more_than_2_GB_together_go_beside_the_file()
    {
        var graph = new GraphBuilder();
        for (var i = 0; i < 20; i++)
            graph.Output(graph.Constant($"w{i}", [30_000_000], PartsOf(new float[Megabyte], 30_000_000)), $"y{i}", DataType.Float, 30_000_000);
        using var stream = new CountingStream();
        var entries = OnnxWriter.WriteOutside(graph.Initializers, stream, "model.onnx.data");
        var end = 0L;
        foreach (var entry in entries)
        {
            var (_, offset, length) = PlaceOf(entry);
            Assert.Equal(0, offset % 4096);
            Assert.InRange(offset, end, end + 4095);
            end = offset + length;
        }

        Assert.Equal(stream.Length, end);
        Assert.True(end > int.MaxValue);
    }

    [Fact]
    public void More_than_one_file_holds_is_refused_by_name_where_all_is_to_be_in_it()
    {
        var graph = new GraphBuilder();
        var large = graph.Constant("large", [151_665, 4096], Unread());
        graph.Output(large, "y", DataType.Float, 151_665, 4096);
        var error = Assert.Throws<NotSupportedException>(() => OnnxWriter.Write(graph, _folder["model.onnx"], outside: false, []));
        Assert.Contains("OnnxOptions.ExternalData", error.Message, StringComparison.Ordinal);
        Assert.Contains("2.48 GB", error.Message, StringComparison.Ordinal);
        Assert.Empty(_folder.Files);

        static IEnumerable<ReadOnlyMemory<float>> Unread() => new object[] { "read" }.Select<object, ReadOnlyMemory<float>>(
            _ => throw new InvalidOperationException("The weights were read, though they cannot be written."));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Files_are_the_messages_that_protobuf_writes(bool outside)
    {
        var graph = new GraphBuilder();
        var x = graph.Input("x", DataType.Float, "rows", 300);
        var sum = graph.Add(graph.Add(x, graph.Constant("w", [300], [new float[100], new float[200]])), graph.Number(0.5f));
        graph.Output(graph.Reshape(sum, -1, 300), "y", DataType.Float, "rows", 300);
        OnnxWriter.Write(graph, _folder["model.onnx"], outside, [("name", "value"), ("other", "")]);
        var bytes = File.ReadAllBytes(_folder["model.onnx"]);
        var model = ModelProto.Parser.ParseFrom(bytes);
        Assert.Equal(bytes, model.ToByteArray());
        Assert.Equal(["w", "floats", "integers_1"], model.Graph.Initializer.Select(tensor => tensor.Name));
        Assert.Equal(outside ? [0, 4, 16] : [1200, 4, 16], model.Graph.Initializer.Select(tensor => tensor.RawData.Length));
        Assert.Equal(["Add", "Add", "Reshape", "Identity"], model.Graph.Node.Select(node => node.OpType));
        Assert.Equal("model", model.Graph.Name);
        Assert.Equal(["name", "other"], model.MetadataProps.Select(entry => entry.Key));
    }

    private static IEnumerable<ReadOnlyMemory<float>> PartsOf(float[] part, long count)
    {
        for (var done = 0L; done < count; done += part.Length)
            yield return part.AsMemory(0, (int)Math.Min(part.Length, count - done));
    }

    private static (string Name, long Offset, long Length) PlaceOf(ConstantEntry entry)
    {
        Assert.Equal(TensorProto.Types.DataLocation.External, entry.Header.DataLocation);
        return (entry.Header.Name, Number("offset"), Number("length"));

        long Number(string key) => long.Parse(
            entry.Header.ExternalData.Single(told => told.Key == key).Value, CultureInfo.InvariantCulture);
    }

    /// <summary>A parameter whose numbers are computed, which counts how many are asked for.</summary>
    private sealed class SourceTensor(params ReadOnlySpan<int> shape) : Tensor(shape)
    {
        public long NumbersRead { get; private set; }

        public int MostAtOnce { get; private set; }

        public override bool RequiresGradient => false;

        public static float ValueAt(int number) => number % 1_000_003;

        internal override void CopyTo(int first, Span<float> destination)
        {
            NumbersRead += destination.Length;
            MostAtOnce = Math.Max(MostAtOnce, destination.Length);
            for (var i = 0; i < destination.Length; i++)
                destination[i] = ValueAt(first + i);
        }

        public override void CopyTo(Span<float> destination) => throw new InvalidOperationException("All of a tensor is read at once.");

        public override void CopyFrom(ReadOnlySpan<float> source) => throw new NotSupportedException();

        public override void CopyGradientTo(Span<float> destination) => throw new NotSupportedException();

        protected internal override void SetRequiresGradient(bool requiresGradient) => throw new NotSupportedException();

        internal override ParameterGradient? TakeGradient(GradientBuffers buffers) => throw new NotSupportedException();

        internal override void PutGradient(ParameterGradient? gradient, GradientBuffers buffers) => throw new NotSupportedException();
    }

    /// <summary>Counts what is written, and keeps none of it.</summary>
    private sealed class CountingStream : Stream
    {
        private long _length;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => _length;

        public override long Position
        {
            get => _length;
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer) => _length += buffer.Length;

        public override void Write(byte[] buffer, int offset, int count) => _length += count;

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
