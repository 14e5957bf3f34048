using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests;

/// <summary>
/// Starts this assembly again, as a program that only uses ML.NET: it loads a model and scores a file of texts or of images. None of its code
/// names a type of the library, so that nothing but ML.NET can find it.
/// </summary>
internal static class FreshProcess
{
    private const string Texts = "texts.txt";
    private const string Images = "images.txt";
    private const string Assemblies = ".assemblies";

    /// <summary>Scores texts with a saved model in another process.</summary>
    public static List<float[]> Score(string modelPath, IEnumerable<string> texts) => Score(modelPath, Texts, texts);

    /// <summary>Scores images of 6 × 6 pixels with a saved model in another process.</summary>
    public static List<float[]> Score(string modelPath, IEnumerable<float[]> images) =>
        Score(modelPath, Images, images.Select(image => string.Join(' ', image.Select(p => p.ToString("R", CultureInfo.InvariantCulture)))));

    /// <summary>Names of the assemblies that another process has loaded once it has scored texts with a saved model.</summary>
    public static IReadOnlyList<string> AssembliesOf(string modelPath, IEnumerable<string> texts)
    {
        IReadOnlyList<string> assemblies = [];
        Score(modelPath, Texts, texts, output => assemblies = File.ReadAllLines(output + Assemblies));
        return assemblies;
    }

    private static List<float[]> Score(string modelPath, string inputName, IEnumerable<string> lines, Action<string>? look = null)
    {
        var directory = Directory.CreateTempSubdirectory("moe-tests-");
        try
        {
            var input = Path.Combine(directory.FullName, inputName);
            var output = Path.Combine(directory.FullName, "scores.txt");
            File.WriteAllLines(input, lines);
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
            {
                RedirectStandardError = true,
                ArgumentList = { "exec", typeof(FreshProcess).Assembly.Location, modelPath, input, output },
            };
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors);
            look?.Invoke(output);
            return [.. File.ReadAllLines(output).Select(Numbers)];
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static int Main(string[] args)
    {
        if (args is [Sweeps.SweepProcess.Verb, ..])
            return Sweeps.SweepProcess.Run(args);
        if (args is not [var modelPath, var input, var output])
            return 2;
        var ml = new MLContext();
        var model = ml.Model.Load(modelPath, out _);
        var lines = File.ReadAllLines(input);
        var data = Path.GetFileName(input) == Texts
            ? ml.Data.LoadFromEnumerable(lines.Select(text => new TextOnly { Text = text }))
            : ml.Data.LoadFromEnumerable(lines.Select(image => new ImageOnly { Features = Numbers(image) }));
        var scores = ml.Data.CreateEnumerable<ScoreOnly>(model.Transform(data), reuseRowObject: false)
            .Select(s => string.Join(' ', s.Score.Select(p => p.ToString("R", CultureInfo.InvariantCulture))));
        File.WriteAllLines(output, scores);
        File.WriteAllLines(output + Assemblies, AppDomain.CurrentDomain.GetAssemblies().Select(assembly => assembly.GetName().Name!));

        // neither texts nor pixels need the native library that decodes images
        using var process = Process.GetCurrentProcess();
        return process.Modules.Cast<ProcessModule>().Any(m => m.ModuleName.Contains("SkiaSharp.so", StringComparison.Ordinal)) ? 3 : 0;
    }

    private static float[] Numbers(string line) => [.. line.Split(' ').Select(s => float.Parse(s, CultureInfo.InvariantCulture))];

    internal sealed class ImageOnly
    {
        [VectorType(36)]
        public float[] Features { get; set; } = [];
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
