using System.Diagnostics;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Tests.Endurance;

/// <summary>
/// A disk that is full, in a process of its own on a file system of a mebibyte: training goes on and warns once, saving fails, and what was
/// there before stays.
/// </summary>
internal static class FullDisk
{
    /// <summary>What the child is told to do.</summary>
    public const string Name = "fill";

    private static readonly string[] OwnMounts = ["unshare", "--user", "--map-root-user", "--mount"];

    /// <summary>Whether a process may mount a file system of its own here.</summary>
    public static bool IsPossible
    {
        get
        {
            try
            {
                using var folder = new TemporaryFolder();
                string[] mount = [.. OwnMounts[1..], "mount", "-t", "tmpfs", "tmpfs", folder.Path];
                using var process = Process.Start(new ProcessStartInfo(OwnMounts[0], mount) { RedirectStandardError = true })!;
                process.WaitForExit();
                return process.ExitCode == 0;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                return false;
            }
        }
    }

    /// <summary>Fills the disk, trains and saves.</summary>
    /// <returns>What went wrong; "" for nothing.</returns>
    public static string Run()
    {
        using var folder = new TemporaryFolder();
        using var child = new Child(OwnMounts, Name, folder.Path);
        var (code, output) = child.Finish();
        return code == 0 ? "" : $"exit code {code}: {output}";
    }

    /// <summary>The child.</summary>
    public static int Fill(string disk)
    {
        using (var mount = Process.Start("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]))
        {
            mount.WaitForExit();
            if (mount.ExitCode != 0)
                return 2;
        }

        var (path, filler) = (Path.Combine(disk, "model.zip"), Path.Combine(disk, "filler"));
        var checkpoint = Path.Combine(disk, "training.checkpoint");
        var ml = new MLContext(seed: 1);
        using var before = Models.Fit(ml);
        ml.Model.SaveAtomically(before, null, path);
        var saved = File.ReadAllBytes(path);
        Fill(new FileInfo(filler));

        var warnings = 0;
        ml.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning && message.Message.Contains(checkpoint, StringComparison.Ordinal))
                warnings++;
        };
        using var after = Models.Fit(ml, o => (o.CheckpointFile, o.MaxEpochs) = (checkpoint, 6));
        using var expected = Models.Fit(new MLContext(seed: 1), o => o.MaxEpochs = 6);
        Models.AssertSame(Models.Score(ml, expected, Tables.Rows(9)), Models.Score(ml, after, Tables.Rows(9)));
        Assert.Equal(1, warnings);

        Assert.ThrowsAny<IOException>(() => ml.Model.SaveAtomically(after, null, path));
        Assert.Equal(saved, File.ReadAllBytes(path));
        Assert.Equal(["filler", "model.zip"], Directory.GetFiles(disk).Select(Path.GetFileName).Order());

        File.Delete(filler);
        ml.Model.SaveAtomically(after, null, path);
        using var again = (IDisposable)ml.Model.Load(path, out _);
        return 0;
    }

    private static void Fill(FileInfo file)
    {
        using var stream = file.Create();
        var block = new byte[1 << 12];
        try
        {
            while (true)
            {
                stream.Write(block);
                stream.Flush(flushToDisk: true);
            }
        }
        catch (IOException)
        {
            // full
        }
    }
}
