namespace Microsoft.ML.Moe;

/// <summary>What is done about a row whose image is missing, damaged, cut short, too large, or no image at all.</summary>
public enum BadImageHandling
{
    /// <summary>
    /// Training reads the whole table, and fails with the number of bad rows and what is wrong with the first ten. Scoring fails when a bad
    /// row's results are read, and tells which row it is; the rows before and after it have theirs.
    /// </summary>
    Fail,

    /// <summary>
    /// Training leaves such rows out, and warns with their number and what is wrong with the first ten. Scoring gives them missing values:
    /// NaN for each score and entropy, a missing key for the label, and false where the routers' uncertainty is told.
    /// </summary>
    Skip,
}
