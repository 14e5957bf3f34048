using System.Globalization;
using System.Reflection;
using Google.Protobuf;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Onnx.Format;

namespace Microsoft.ML.Moe.Onnx.Graph;

/// <summary>Writes a graph as a file, and its large constants beside it where they do not fit into one.</summary>
internal static class OnnxWriter
{
    /// <summary>Bytes that the constants of a file may have: a message of protobuf ends at 2 GiB, and the nodes take some.</summary>
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
    public static void Write(GraphBuilder graph, string path, bool? outside, IEnumerable<(string Name, string Value)> properties)
    {
        var model = new ModelProto
        {
            IrVersion = FormatVersion,
            ProducerName = "MlNetMoe",
            ProducerVersion = Version,
            Graph = graph.Graph,
        };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = GraphBuilder.Operators });
        if (graph.UsesMicrosoftDomain)
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = GraphBuilder.MicrosoftDomain, Version = 1 });
        foreach (var (name, value) in properties)
            model.MetadataProps.Add(new StringStringEntryProto { Key = name, Value = value });
        if (outside ?? graph.Initializers.Sum(constant => constant.Bytes) > MostInside)
        {
            var data = path + ".data";
            AtomicFile.Write(data, stream => AddOutside(graph, model.Graph, stream, Path.GetFileName(data)));
        }
        else
        {
            foreach (var constant in graph.Initializers)
                model.Graph.Initializer.Add(Inside(constant));
        }

        AtomicFile.Write(path, model.WriteTo);
    }

    private static void AddOutside(GraphBuilder graph, GraphProto proto, Stream stream, string location)
    {
        var written = 0L;
        foreach (var constant in graph.Initializers)
        {
            if (constant.Bytes < SmallestOutside)
            {
                proto.Initializer.Add(Inside(constant));
                continue;
            }

            var padding = (Alignment - written % Alignment) % Alignment;
            stream.Write(new byte[padding]);
            written += padding;
            var tensor = Header(constant);
            tensor.DataLocation = TensorProto.Types.DataLocation.External;
            Tell("location", location);
            Tell("offset", written.ToString(CultureInfo.InvariantCulture));
            Tell("length", constant.Bytes.ToString(CultureInfo.InvariantCulture));
            proto.Initializer.Add(tensor);
            stream.Write(constant.Read());
            written += constant.Bytes;

            void Tell(string name, string value) => tensor.ExternalData.Add(new StringStringEntryProto { Key = name, Value = value });
        }
    }

    private static TensorProto Inside(Initializer constant)
    {
        var tensor = Header(constant);
        tensor.RawData = UnsafeByteOperations.UnsafeWrap(constant.Read());
        return tensor;
    }

    private static TensorProto Header(Initializer constant) =>
        new() { Name = constant.Name, DataType = (int)constant.Type, Dims = { constant.Shape } };
}
