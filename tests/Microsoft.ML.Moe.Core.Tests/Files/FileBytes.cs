using System.Text;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>Safetensors files made by hand.</summary>
internal static class FileBytes
{
    public static byte[] Of(string header, ReadOnlySpan<byte> data = default)
    {
        var json = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((long)json.Length), .. json, .. data];
    }

    /// <summary>A file of one tensor.</summary>
    public static byte[] Of(string name, string type, int[] shape, ReadOnlySpan<byte> data) =>
        Of($$$"""{"{{{name}}}":{"dtype":"{{{type}}}","shape":[{{{string.Join(',', shape)}}}],"data_offsets":[0,{{{data.Length}}}]}}""", data);
}
