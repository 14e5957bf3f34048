using Microsoft.ML.Moe.Reports;

namespace Microsoft.ML.Moe;

/// <summary>Shows a <see cref="SweepResult"/> as a page for a browser.</summary>
public static class SweepOutput
{
    /// <summary>
    /// The sweep as one HTML page: history, options of all trials, importance of options, leaderboard. It needs nothing else, no network either,
    /// runs no script, and adapts to dark mode.
    /// </summary>
    /// <param name="result">The sweep, which may be running: see <see cref="SweepResult.Read"/>.</param>
    public static string ToHtml(this SweepResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return SweepPage.Of(result);
    }

    /// <summary>Writes the page of <see cref="ToHtml"/>; a file that is there is replaced when the new one is complete.</summary>
    /// <param name="result">The sweep.</param>
    /// <param name="path">Path of the file.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public static void SaveHtml(this SweepResult result, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var page = result.ToHtml();
        PageFrame.Save(path, page);
    }
}
