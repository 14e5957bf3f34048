using System.Text;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Reads the lines of text files.</summary>
internal static class TextLines
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: true, throwOnInvalidBytes: true);

    /// <summary>The lines of files, read as they are asked for. A byte order mark is not part of the first.</summary>
    /// <exception cref="InvalidDataException">A file is not UTF-8; the message tells file and line.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static IEnumerable<string> Of(IEnumerable<string> paths)
    {
        foreach (var path in paths)
        {
            using var reader = new StreamReader(path, StrictUtf8, detectEncodingFromByteOrderMarks: false);
            for (var line = 1L; Read(reader, path, line) is { } text; line++)
                yield return text;
        }
    }

    private static string? Read(StreamReader reader, string path, long line)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (DecoderFallbackException e)
        {
            // the reader decodes ahead of the line that it returns
            throw new InvalidDataException($"The text file {path} is not UTF-8, in line {line} or soon after. Save it as UTF-8.", e);
        }
    }
}
