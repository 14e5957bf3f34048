using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>Checkpoints on disk: single files, shards, folders, and what is wrong with them.</summary>
public sealed class TensorFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AFolderIsItsModelFile()
    {
        Write("model.safetensors", Tensor("a", [2, 3]), Tensor("b", []), Tensor("c", [0, 4]));
        Write("other.safetensors", Tensor("z", [1]));

        using var files = TensorFiles.Open(_folder.Path);

        Assert.Equal(["a", "b", "c"], files.Tensors.Keys.Order());
        Assert.Equal([2, 3], files.Tensors["a"].Shape);
        Assert.Equal(1, files.Tensors["b"].Elements);
        Assert.Equal(0, files.Tensors["c"].Elements);
        Assert.Equal("pt", files.Metadata["format"]);
        Assert.Equal(Values("a", 6), ReadAll(files, "a"));
    }

    [Theory]
    [InlineData(null, 1)]
    [InlineData(1000L, 1)]
    [InlineData(64L, 3)]
    [InlineData(1L, 4)]
    public void WrittenShardsAreReadAsOne(long? shardBytes, int shards)
    {
        SavedTensor[] tensors = [Tensor("a", [4, 4]), Tensor("b", [4, 8], ElementType.BFloat16), Tensor("c", [4, 2]), Tensor("d", [8])];

        SafeTensorsWriter.WriteFolder(_folder.Path, tensors, shardBytes);

        Assert.Equal(shards, Directory.GetFiles(_folder.Path, "*.safetensors").Length);
        Assert.Equal(shards > 1, File.Exists(_folder["model.safetensors.index.json"]));
        using var files = TensorFiles.Open(_folder.Path);
        foreach (var tensor in tensors)
        {
            Assert.Equal(tensor.Shape, files.Tensors[tensor.Name].Shape);
            Assert.Equal(tensor.Type == ElementType.BFloat16 ? TensorType.BF16 : TensorType.F32, files.Tensors[tensor.Name].Type);
            Assert.Equal(Values(tensor.Name, (int)files.Tensors[tensor.Name].Elements), ReadAll(files, tensor.Name));
        }
    }

    [Fact]
    public void ParametersInBFloat16AreWrittenAsTheyAre()
    {
        using var engine = new ManagedEngine(1);
        var stream = new MemoryStream();
        SafeTensors.Write(stream, [engine.CreateParameter("w", [1, 3], BFloat16Values.Copy([0x3F80, 0x7FC1, 0xC000]))]);

        stream.Position = 0;
        var read = SafeTensors.Read(stream);

        Assert.Equal(TensorType.BF16, read.Tensors["w"].Type);
        var bits = new ushort[3];
        read.ReadBFloat16(read.Tensors["w"], 0, bits);
        Assert.Equal([0x3F80, 0x7FC1, 0xC000], bits);
        Assert.Equal([1, float.NaN, -2], read.Take("w", [1, 3]));
    }

    [Fact]
    public void AViewIsUsableAfterTheFilesAreClosed()
    {
        Write("model.safetensors", Tensor("a", [3, 5], ElementType.BFloat16), Tensor("f", [2]));
        using var engine = new ManagedEngine(1);
        Parameter parameter;
        using (var files = TensorFiles.Open(_folder.Path))
        {
            var view = Assert.IsType<BFloat16Values>(files.View(files.Tensors["a"]));
            Assert.Equal(0, view.OwnedBytes);
            Assert.Null(files.View(files.Tensors["f"]));
            parameter = engine.CreateParameter("a", [3, 5], view);
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(Values("a", 15), parameter.Value.ToArray());
        using var tape = engine.BeginTape(training: false);
        Assert.Equal(Values("a", 15)[5..10], tape.Embedding(parameter, [1]).ToArray());
    }

    [Fact]
    public void ClosedFilesAreNotRead()
    {
        Write("model.safetensors", Tensor("a", [3], ElementType.BFloat16));
        var files = TensorFiles.Open(_folder.Path);
        files.Dispose();
        files.Dispose();

        Assert.Throws<ObjectDisposedException>(() => ReadAll(files, "a"));
        Assert.Throws<ObjectDisposedException>(() => files.View(files.Tensors["a"]));
    }

    [Fact]
    public void OpeningReadsTheHeaderAlone()
    {
        // a sparse file: four gigabytes by its length, hardly any on the disk
        const long Bytes = 4L << 30;
        var header = FileBytes.Of($$$"""{"w":{"dtype":"BF16","shape":[65536,32768],"data_offsets":[0,{{{Bytes}}}]}}""");
        using (var stream = File.Create(_folder["model.safetensors"]))
        {
            stream.Write(header);
            stream.SetLength(header.Length + Bytes);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        using var files = TensorFiles.Open(_folder.Path);
        var values = new float[4];
        files.Read(files.Tensors["w"], (Bytes / 2) - 4, values);

        Assert.Equal([0, 0, 0, 0], values);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public void AFileOfAnotherLengthThanItsHeaderSaysIsRefused(int difference)
    {
        Write("model.safetensors", Tensor("a", [3]));
        using (var stream = File.OpenWrite(_folder["model.safetensors"]))
            stream.SetLength(stream.Length + difference);

        AssertRefused(_folder.Path, "model.safetensors is damaged", "follow the header");
    }

    [Fact]
    public void EveryTruncationIsRefused()
    {
        Write("model.safetensors", Tensor("a", [3], ElementType.BFloat16));
        var whole = File.ReadAllBytes(_folder["model.safetensors"]);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(_folder["model.safetensors"], whole[..length]);
            AssertRefused(_folder.Path, "model.safetensors");
        }
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "header")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6, "tensor b begins")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}}""", 9, "tensor b begins")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 8, "follow the header")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 0, "tensor a lies")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", 4, "offsets")]
    [InlineData("""{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}""", 1, "tensor a lies")]
    [InlineData("""{"a":{"dtype":"X","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown type X")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}""", 1, "9 dimensions")]
    [InlineData("""{"a":{"dtype":"U8","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,1]}}""", 1, "header")]
    [InlineData("""{"a":{"dtype":"F64","shape":[2147483647,2147483647],"data_offsets":[0,1]}}""", 1, "header")]
    [InlineData("""{"__metadata__":{"format":1}}""", 0, "header")]
    [InlineData("""{"__metadata__":["pt"]}""", 0, "header")]
    public void HostileHeadersAreRefused(string header, int data, string reason)
    {
        File.WriteAllBytes(_folder["model.safetensors"], FileBytes.Of(header, new byte[data]));

        AssertRefused(_folder.Path, "model.safetensors", reason);
    }

    [Fact]
    public void AHeaderLongerThanTheFileIsRefusedBeforeItIsRead()
    {
        File.WriteAllBytes(_folder["model.safetensors"], [.. BitConverter.GetBytes(90_000_000L), (byte)'{']);
        var before = GC.GetAllocatedBytesForCurrentThread();

        AssertRefused(_folder.Path, "model.safetensors", "90000000");

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"../model-2.safetensors"}}""", "../model-2.safetensors")]
    [InlineData("""{"weight_map":{"a":"..\\model-2.safetensors"}}""", "no safetensors file beside")]
    [InlineData("""{"weight_map":{"a":"/etc/x.safetensors"}}""", "no safetensors file beside")]
    [InlineData("""{"weight_map":{"a":"C:x.safetensors"}}""", "no safetensors file beside")]
    [InlineData("""{"weight_map":{"a":"model-1.bin"}}""", "no safetensors file beside")]
    [InlineData("""{"weight_map":{"a":"model-9.safetensors"}}""", "model-9.safetensors, which is missing")]
    [InlineData("""{"weight_map":{"a":"model-1.safetensors","b":"model-1.safetensors"}}""", "tensor b is in model-1.safetensors, but it is not")]
    [InlineData("""{"weight_map":{"b":"model-2.safetensors"}}""", "tensor c, of which")]
    [InlineData("""{"weight_map":{}}""", "names no tensors")]
    [InlineData("""{"weight_map":{"a":"model-1.safetensors","a":"model-2.safetensors"}}""", "no index")]
    [InlineData("""{"weight_map":["a"]}""", "no index")]
    [InlineData("""{"weight_map":{"a":7}}""", "no index")]
    [InlineData("""{}""", "no index")]
    [InlineData("""{""", "no index")]
    public void HostileIndexesAreRefused(string index, string reason)
    {
        Write("model-1.safetensors", Tensor("a", [3]));
        Write("model-2.safetensors", Tensor("b", [3]), Tensor("c", [3]));
        File.WriteAllText(_folder["model.safetensors.index.json"], index);

        AssertRefused(_folder.Path, reason);
    }

    [Theory]
    [InlineData("pytorch_model.bin")]
    [InlineData("pytorch_model.bin.index.json")]
    public void PickledWeightsAreRefusedWithTheWayToConvertThem(string file)
    {
        File.WriteAllText(_folder[file], "");

        AssertRefused(_folder.Path, file, "python -c \"import glob, torch;");
    }

    [Fact]
    public void WhatIsNotThereIsNotFound()
    {
        var error = Assert.Throws<FileNotFoundException>(() => TensorFiles.Open(_folder.Path));
        Assert.Contains("model.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => TensorFiles.Open(_folder["x.safetensors"]));
        Assert.Throws<FileNotFoundException>(() => TensorFiles.Open(_folder["x.safetensors.index.json"]));
    }

    [Fact]
    public void ADamagedFileIsEitherReadOrRefusedWithItsName()
    {
        SafeTensorsWriter.WriteFolder(_folder.Path, [Tensor("a", [2, 3]), Tensor("layers.0.b", [4, 2], ElementType.BFloat16), Tensor("c", [])]);
        var whole = File.ReadAllBytes(_folder["model.safetensors"]);
        var random = new Random(11);
        var (read, refused) = (0, 0);
        for (var round = 0; round < 3000; round++)
        {
            var damaged = (byte[])whole.Clone();
            for (var i = random.Next(1, 4); i > 0; i--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0)
                Array.Resize(ref damaged, random.Next(damaged.Length + 9));
            var fromFile = ReadsAll(() => ReadFile(damaged));
            var fromStream = ReadsAll(() => SafeTensors.Read(new MemoryStream(damaged), "model.safetensors").TakeAll());
            Assert.Equal(fromFile, fromStream);
            _ = fromFile ? read++ : refused++;
        }

        Assert.InRange(read, 100, 2900);
        Assert.InRange(refused, 100, 2900);

        bool ReadsAll(Action action)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                action();
                return true;
            }
            catch (InvalidDataException e)
            {
                Assert.Contains("model.safetensors", e.Message, StringComparison.Ordinal);
                return false;
            }
            finally
            {
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 5 << 20);
            }
        }

        void ReadFile(byte[] bytes)
        {
            File.WriteAllBytes(_folder["model.safetensors"], bytes);
            using var files = TensorFiles.Open(_folder.Path);
            foreach (var name in files.Tensors.Keys)
                ReadAll(files, name);
        }
    }

    [SkippableFact]
    public void EveryGoldenFolderOpens()
    {
        var models = SharedFolder.Find("goldens/models");
        Skip.If(models is null, "The golden checkpoints are not there.");
        var types = new HashSet<TensorType>();
        foreach (var folder in Directory.GetDirectories(models!))
        {
            using var files = TensorFiles.Open(folder);
            Assert.NotEmpty(files.Tensors);
            foreach (var tensor in files.Tensors.Values)
            {
                types.Add(tensor.Type);
                Assert.Equal(tensor.Elements, tensor.Shape.Aggregate(1L, (product, size) => product * size));
                Assert.Equal(tensor.Elements, ReadAll(files, tensor.Name).Length);
            }
        }

        Assert.Superset(new HashSet<TensorType> { TensorType.F32, TensorType.BF16, TensorType.F16 }, types);
    }

    private static float[] ReadAll(TensorFiles files, string name)
    {
        var values = new float[files.Tensors[name].Elements];
        files.Read(files.Tensors[name], 0, values);
        return values;
    }

    /// <summary>Whole numbers that bfloat16 holds exactly, other ones for every name.</summary>
    private static float[] Values(string name, int count) => [.. Enumerable.Range(0, count).Select(i => (float)(i + name[^1]))];

    private static SavedTensor Tensor(string name, int[] shape, ElementType type = ElementType.Float32) =>
        new(name, shape, type, () => Values(name, shape.Aggregate(1, (product, size) => product * size)));

    private void Write(string file, params SavedTensor[] tensors)
    {
        using var stream = File.Create(_folder[file]);
        SafeTensorsWriter.Write(stream, tensors, new Dictionary<string, string> { ["format"] = "pt" });
    }

    private static void AssertRefused(string path, params string[] parts)
    {
        var error = Assert.Throws<InvalidDataException>(() => TensorFiles.Open(path).Dispose());
        foreach (var part in parts)
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }
}
