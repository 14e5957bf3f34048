namespace Microsoft.ML.Moe.Training;

/// <summary>How rows are weighted in the loss by the class they belong to.</summary>
public enum ClassWeighting
{
    /// <summary>All rows alike.</summary>
    None,

    /// <summary>By the inverse square root of the class's share of the rows.</summary>
    SquareRoot,

    /// <summary>By the inverse of the class's share of the rows, so that all classes weigh the same.</summary>
    Balanced,
}
