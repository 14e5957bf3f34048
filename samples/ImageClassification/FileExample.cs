namespace ImageClassification;

/// <summary>An image as a PNG, JPEG or BMP file.</summary>
public sealed class FileExample : Example
{
    public byte[] Features { get; set; } = [];
}
