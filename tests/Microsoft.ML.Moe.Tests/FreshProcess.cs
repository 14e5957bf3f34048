using System.Diagnostics;
using System.Globalization;

namespace Microsoft.ML.Moe.Tests;

/// <summary>
/// Starts this assembly again, as a program that only uses ML.NET: it loads a model and scores a file of texts. None of its code
/// names a type of the library, so that nothing but ML.NET can find it.
/// </summary>
internal static class FreshProcess
{
    /// <summary>Scores texts with a saved model in another process.</summary>
    public static List<float[]> Score(string modelPath, IReadOnlyList<string> texts)
    {
        var directory = Directory.CreateTempSubdirectory();
        try
        {
            var input = Path.Combine(directory.FullName, "texts.txt");
            var output = Path.Combine(directory.FullName, "scores.txt");
            File.WriteAllLines(input, texts);
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
            {
                RedirectStandardError = true,
                ArgumentList = { "exec", typeof(FreshProcess).Assembly.Location, modelPath, input, output },
            };
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors);
            return [.. File.ReadAllLines(output).Select(line =>
                line.Split(' ').Select(s => float.Parse(s, CultureInfo.InvariantCulture)).ToArray())];
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static int Main(string[] args)
    {
        if (args is not [var modelPath, var input, var output])
            return 2;
        var ml = new MLContext();
        var model = ml.Model.Load(modelPath, out _);
        var data = ml.Data.LoadFromEnumerable(File.ReadAllLines(input).Select(text => new TextOnly { Text = text }));
        var scores = ml.Data.CreateEnumerable<ScoreOnly>(model.Transform(data), reuseRowObject: false)
            .Select(s => string.Join(' ', s.Score.Select(p => p.ToString("R", CultureInfo.InvariantCulture))));
        File.WriteAllLines(output, scores);
        return 0;
    }

    internal sealed class TextOnly
    {
        public string? Text { get; set; }
    }

    internal sealed class ScoreOnly
    {
        public float[] Score { get; set; } = [];
    }
}
