namespace Microsoft.ML.Moe.Tests.Fuzzing.Mutation;

/// <summary>Changes lines of a text file, and their order and number.</summary>
internal static class LineMutation
{
    /// <inheritdoc cref="Mutator"/>
    public static byte[] Apply(byte[] content, Random random)
    {
        List<byte[]> lines = [];
        for (var start = 0; start <= content.Length;)
        {
            var length = content.AsSpan(start).IndexOf((byte)'\n');
            var end = length < 0 ? content.Length : start + length;
            lines.Add(content[start..end]);
            start = end + 1;
        }

        PartMutation.Apply(lines, line => ByteMutation.Apply(line, random), random);
        var file = new MemoryStream();
        for (var i = 0; i < lines.Count; i++)
        {
            if (i > 0)
                file.Write(random.Next(64) == 0 ? "\r\n"u8 : "\n"u8);
            file.Write(lines[i]);
        }

        return file.ToArray();
    }
}
