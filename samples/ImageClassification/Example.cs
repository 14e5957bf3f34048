using Microsoft.ML.Data;

namespace ImageClassification;

/// <summary>A labelled image.</summary>
public abstract class Example
{
    public string Label { get; set; } = "";

    /// <summary>What the image is called, or looks like; no column of the table.</summary>
    [NoColumn]
    public string Name { get; set; } = "";
}
