namespace Microsoft.ML.Moe.Generation;

/// <summary>When beam search ends for a prompt that has as many finished answers as beams.</summary>
public enum EarlyStopping
{
    /// <summary>
    /// When no open beam, if it ended now, would be better than the worst finished answer (early_stopping false). Later it might be, where
    /// the length penalty is over 0.
    /// </summary>
    WhenUnlikelyToImprove,

    /// <summary>At once (early_stopping true).</summary>
    WhenComplete,

    /// <summary>When no open beam can become better than the worst finished answer at any length (early_stopping "never").</summary>
    WhenUnableToImprove,
}
