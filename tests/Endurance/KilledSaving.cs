using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>A file that a killed process was just replacing by another model is one of the two, whole.</summary>
internal static class KilledSaving
{
    /// <summary>What the child is told to do.</summary>
    public const string Name = "save";

    /// <summary>Kills a process that saves two models in turn, time and again.</summary>
    public static KillReport Run(int kills, int seed = 3)
    {
        using var folder = new TemporaryFolder();
        var (one, other, target) = (folder["one.zip"], folder["other.zip"], folder["model.zip"]);
        var draft = target + AtomicFile.DraftSuffix;
        var ml = new MLContext(seed: 1);
        foreach (var (path, epochs) in new[] { (one, 1), (other, 2) })
        {
            using var model = Models.Fit(ml, o => o.MaxEpochs = epochs);
            ml.Model.Save(model, null, path);
        }

        File.Copy(one, target);
        float[][] possible = [Scores(one), Scores(other)];
        var random = new Random(seed);
        var (drafts, whole) = (0, 0);
        for (var kill = 0; kill < kills; kill++)
        {
            var stamp = File.GetLastWriteTimeUtc(draft);
            using var child = new Child([], Name, one, other, target);
            for (var saved = random.Next(4); saved > 0 && child.Read() is not null; saved--)
                child.Answer();
            do
                child.Answer();
            while (!child.WaitFor(draft, stamp) && child.Read() is not null && random.Next(8) > 0);
            child.Kill();
            drafts += File.Exists(draft) ? 1 : 0;
            var scores = Scores(target);
            whole += possible.Any(p => p.AsSpan().SequenceEqual(scores)) ? 1 : 0;
        }

        return new KillReport(kills, drafts, whole == kills, [.. folder.Files]);
    }

    /// <summary>The child.</summary>
    public static int Save(string one, string other, string target)
    {
        var ml = new MLContext();
        var models = new[] { ml.Model.Load(one, out _), ml.Model.Load(other, out _) };
        for (var saved = 0; ; saved++)
        {
            ml.Model.SaveAtomically(models[saved % 2], null, target);
            Child.Tell("saved");
        }
    }

    private static float[] Scores(string path)
    {
        var ml = new MLContext();
        var model = ml.Model.Load(path, out _);
        using var loaded = (IDisposable)model;
        return [.. Models.Score(ml, model, Tables.Rows(6)).SelectMany(p => p.Score)];
    }
}
