using System.Globalization;
using System.Reflection;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Onnx.Format;
using Microsoft.ML.Moe.Onnx.Tracing;

namespace Microsoft.ML.Moe.Onnx.Graph;

/// <summary>
/// Writes a graph as a file, and its large constants beside it where they do not fit into one. Constants go to the file as they are read: a
/// message of protobuf in memory would have all of them.
/// </summary>
internal static class OnnxWriter
{
    /// <summary>Bytes that a file may have: a message of protobuf ends at 2 GiB, and readers add to it.</summary>
    public const long MostInside = (1L << 31) - (1L << 26);

    /// <summary>Constants below this stay in the file: shapes, say, which a reader must know to read the others.</summary>
    private const long SmallestOutside = 1024;

    /// <summary>Where constants outside begin: at multiples of this, so that they can be mapped.</summary>
    private const long Alignment = 4096;

    private const int FormatVersion = 8;

    /// <summary>This library's, without the commit that it was built from.</summary>
    private static string Version { get; } =
        typeof(OnnxWriter).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>Writes the file. Either all of it is there when the method returns, or the file that was there before.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="path">Path of the file.</param>
    /// <param name="outside">
    /// Whether constants go to the file <paramref name="path"/>.data; null: where they are too many for one file.
    /// </param>
    /// <param name="properties">What else the file tells, by name.</param>
    /// <exception cref="NotSupportedException">
    /// <paramref name="outside"/> is false, and one file does not hold the constants; nothing was read or written.
    /// </exception>
    public static void Write(GraphBuilder graph, string path, bool? outside, IEnumerable<(string Name, string Value)> properties)
    {
        var file = new ModelParts(graph, Version, FormatVersion, properties);
        var constants = EntriesOf(graph);
        var bytes = file.BytesWith(constants);
        if (outside == false && bytes > MostInside)
            throw TooLarge(bytes);
        if (outside ?? bytes > MostInside)
        {
            var data = path + ".data";
            AtomicFile.Write(data, stream => constants = WriteOutside(graph.Initializers, stream, Path.GetFileName(data)));
        }

        AtomicFile.Write(path, stream => file.WriteTo(stream, constants));
    }

    /// <summary>Writes a file that holds all.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="stream">Receives the file.</param>
    /// <param name="properties">What else the file tells, by name.</param>
    public static void WriteInside(GraphBuilder graph, Stream stream, IEnumerable<(string Name, string Value)> properties) =>
        new ModelParts(graph, Version, FormatVersion, properties).WriteTo(stream, EntriesOf(graph));

    /// <summary>Writes constants to the file beside the model's.</summary>
    /// <param name="constants">The constants.</param>
    /// <param name="stream">Receives the large ones.</param>
    /// <param name="location">Name of that file.</param>
    /// <returns>What the model's file has of them.</returns>
    public static List<ConstantEntry> WriteOutside(IEnumerable<Initializer> constants, Stream stream, string location)
    {
        var entries = new List<ConstantEntry>();
        var written = 0L;
        foreach (var constant in constants)
        {
            var header = HeaderOf(constant);
            if (constant.Bytes < SmallestOutside)
            {
                entries.Add(new ConstantEntry(header, constant));
                continue;
            }

            var padding = (Alignment - written % Alignment) % Alignment;
            stream.Write(new byte[padding]);
            written += padding;
            header.DataLocation = TensorProto.Types.DataLocation.External;
            Tell("location", location);
            Tell("offset", written.ToString(CultureInfo.InvariantCulture));
            Tell("length", constant.Bytes.ToString(CultureInfo.InvariantCulture));
            entries.Add(new ConstantEntry(header, Inside: null));
            constant.WriteTo(stream);
            written += constant.Bytes;

            void Tell(string name, string value) => header.ExternalData.Add(new StringStringEntryProto { Key = name, Value = value });
        }

        return entries;
    }

    private static List<ConstantEntry> EntriesOf(GraphBuilder graph) =>
        graph.Initializers.ConvertAll(constant => new ConstantEntry(HeaderOf(constant), constant));

    private static TensorProto HeaderOf(Initializer constant) =>
        new() { Name = constant.Name, DataType = (int)constant.Type, Dims = { constant.Shape } };

    private static NotSupportedException TooLarge(long bytes) => Unsupported.Because(
        FormattableString.Invariant($"its file would take {bytes / 1e9:0.00} GB, and one ONNX file holds 2 GB at most"),
        $"Leave {nameof(OnnxOptions)}.{nameof(OnnxOptions.ExternalData)} null or set it to true, so that the weights go to a file beside it");
}
