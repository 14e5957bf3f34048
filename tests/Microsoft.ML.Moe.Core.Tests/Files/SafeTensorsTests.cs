using System.Buffers.Binary;
using System.Text;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Files;

public class SafeTensorsTests
{
    [Fact]
    public void RoundTrip()
    {
        using var engine = new ManagedEngine(1);
        var stream = new MemoryStream();

        SafeTensors.Write(stream, [engine.CreateParameter("a", [2, 3], [1, 2, 3, 4, 5, -0f]), engine.CreateParameter("é\"", [1], [float.NaN])]);
        stream.Position = 0;
        var read = SafeTensors.Read(stream);

        Assert.Equal([1, 2, 3, 4, 5, -0f], read.Take("a", [2, 3]));
        Assert.Equal([float.NaN], read.Take("é\"", [1]));
        read.CheckAllTaken();
    }

    [Fact]
    public void OfAStreamThatCanSeekATensorIsReadWhenItIsTaken()
    {
        // 1 GiB by its header and its length: zeros that are not there
        const int Elements = 1 << 28;
        var header = Encoding.UTF8.GetBytes($$$"""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"zz":{"dtype":"F32","shape":[{{{Elements}}}],"data_offsets":[8,{{{8 + 4L * Elements}}}]}}""");
        using var folder = new TemporaryFolder();
        using var stream = File.Create(folder["weights"]);
        stream.Write(BitConverter.GetBytes((long)header.Length));
        stream.Write(header);
        stream.Write([0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]);
        stream.SetLength(stream.Position + 4L * Elements);
        stream.Position = 0;

        var before = GC.GetAllocatedBytesForCurrentThread();
        var read = SafeTensors.Read(stream);
        Assert.Equal([1f, 2f], read.Take("a", [2]));
        Assert.Contains("zz", Assert.Throws<InvalidDataException>(read.CheckAllTaken).Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void DataIsAlignedAndInTheDocumentedForm()
    {
        using var engine = new ManagedEngine(1);
        var stream = new MemoryStream();

        SafeTensors.Write(stream, [engine.CreateParameter("w", [2], [1f, 2f])]);

        var bytes = stream.ToArray();
        var header = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.Equal(0, header % 8);
        Assert.Equal("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", Encoding.UTF8.GetString(bytes, 8, header).TrimEnd());
        Assert.Equal([0, 0, 0x80, 0x3F, 0, 0, 0, 0x40], bytes[(8 + header)..]);
    }

    [Theory]
    [InlineData("""{"w":{"dtype":"F12","shape":[2],"data_offsets":[0,3]}}""", "F12")]
    [InlineData("""{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "3 elements")]
    [InlineData("""{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "negative")]
    [InlineData("""{"w":{"dtype":"F32","shape":[65536,65536,65536,65536,65536],"data_offsets":[0,8]}}""", "header")]
    [InlineData("""{"w":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}""", "ends within")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", "begins")]
    [InlineData("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "after the last")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2],"data_offsets":["x",8]}}""", "header")]
    [InlineData("""{"w":{"dtype":"F32","shape":[2]}}""", "header")]
    [InlineData("""["w"]""", "header")]
    [InlineData("""{"w":""", "header")]
    public void HostileHeadersAreRefused(string header, string reason)
    {
        var bytes = Encoding.UTF8.GetBytes(header);
        var stream = new MemoryStream();
        stream.Write(BitConverter.GetBytes((long)bytes.Length));
        stream.Write(bytes);
        stream.Write(new byte[8]);
        stream.Position = 0;

        var error = Assert.Throws<InvalidDataException>(() => SafeTensors.Read(stream));

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(long.MaxValue)]
    public void AHeaderLengthBeyondReasonIsRefused(long length) =>
        Assert.Throws<InvalidDataException>(() => SafeTensors.Read(new MemoryStream(BitConverter.GetBytes(length))));

    [Fact]
    public void EveryTruncationIsRefused()
    {
        using var engine = new ManagedEngine(1);
        var stream = new MemoryStream();
        SafeTensors.Write(stream, [engine.CreateParameter("w", [3], [1, 2, 3])]);
        var whole = stream.ToArray();

        for (var length = 0; length < whole.Length; length++)
            Assert.Throws<InvalidDataException>(() => SafeTensors.Read(new MemoryStream(whole, 0, length)));
    }
}
