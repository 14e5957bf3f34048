using System.Diagnostics.CodeAnalysis;

namespace Microsoft.ML.Moe.Models;

/// <summary>All that is needed, beside the weights, to rebuild a classifier: <c>Config.json</c> of the model zip.</summary>
internal sealed record TextClassifierConfig : TextEncoderConfig
{
    /// <summary>For the reader of JSON.</summary>
    public TextClassifierConfig()
    {
    }

    /// <summary>A classifier over an encoder.</summary>
    [SetsRequiredMembers]
    public TextClassifierConfig(TextEncoderConfig encoder, int classes, int wideBits)
        : base(encoder)
    {
        Classes = classes;
        WideBits = wideBits;
    }

    /// <summary>Number of classes, C.</summary>
    public required int Classes { get; init; }

    /// <summary>Binary logarithm of the wide table's rows; 0 without a wide branch.</summary>
    public required int WideBits { get; init; }

    private protected override void Check()
    {
        base.Check();
        Range(Classes, 1, IClassifierOptions.MaximumClasses, nameof(Classes));
        Range(WideBits, 0, 24, nameof(WideBits));
    }
}
