namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Kinds of image files, named as SkiaSharp names them. ML.NET looks at all types of this assembly to load any model: fields of SkiaSharp's own
/// types would make it load SkiaSharp for models that read no images.
/// </summary>
internal enum ImageFormat
{
    Png,
    Jpeg,
    Webp,
    Gif,
    Bmp,
}

/// <summary>Which corner an image's first pixel belongs to when it stands upright, numbered as EXIF does.</summary>
internal enum ImageOrigin
{
    TopLeft = 1,
    TopRight = 2,
    BottomRight = 3,
    BottomLeft = 4,
    LeftTop = 5,
    RightTop = 6,
    RightBottom = 7,
    LeftBottom = 8,
}
