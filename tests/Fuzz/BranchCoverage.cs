using System.Runtime.InteropServices;
using SharpFuzz;
using SharpFuzz.Common;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>
/// Which branches an input takes and how often, as SharpFuzz's instrumentation counts them: one byte for each pair of places that follow
/// one another. Source: afl-fuzz, technical details, "Coverage measurements".
/// </summary>
internal sealed unsafe class BranchCoverage
{
    private const int Bytes = 1 << 16;

    // the readers; not the kernels, which would only be slow
    private static readonly string[] Counted =
    [
        "Files.", "Tokenizers.", "Models.", "Training.TrainingCheckpoint", "Training.TrainingProgress", "Persistence.", "MlNet.", "Rows.",
        "Generation.", "Inputs.", "Heads.", "Layers.Weights", "LinearModels.", "Routing.Router",
    ];

    private readonly byte* _counts;
    private readonly byte[] _seen = new byte[Bytes];

    private BranchCoverage()
    {
        _counts = (byte*)NativeMemory.AllocZeroed(Bytes);
        Trace.SharedMem = _counts;
    }

    /// <summary>Begins to count; null where the library is not instrumented.</summary>
    public static BranchCoverage? Begin() => IsInstrumented ? new BranchCoverage() : null;

    /// <summary>Pairs of places that were ever taken.</summary>
    public int Reached => _seen.Count(b => b != 0);

    private static bool IsInstrumented =>
        typeof(PublishedEncoder).Assembly.GetReferencedAssemblies().Any(a => a.Name == typeof(Trace).Assembly.GetName().Name);

    /// <summary>Copies this program beside it with the library instrumented.</summary>
    /// <param name="folder">Where; made new.</param>
    /// <returns>The program.</returns>
    public static string Instrument(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        string[] instrumented = ["Microsoft.ML.Moe.Core.dll", "Microsoft.ML.Moe.dll"];
        var own = Path.GetFileNameWithoutExtension(typeof(BranchCoverage).Assembly.Location);
        foreach (var entry in new DirectoryInfo(AppContext.BaseDirectory).EnumerateFileSystemInfos())
        {
            var copy = Path.Combine(folder, entry.Name);
            if (entry is FileInfo && (entry.Name.StartsWith(own + ".", StringComparison.Ordinal) || instrumented.Contains(entry.Name)))
                File.Copy(entry.FullName, copy);
            else if (entry is FileInfo)
                File.CreateSymbolicLink(copy, entry.FullName);
            else if (Path.GetFullPath(entry.FullName) != Path.GetFullPath(folder))
                Directory.CreateSymbolicLink(copy, entry.FullName);
        }

        foreach (var name in instrumented)
            Fuzzer.Instrument(Path.Combine(folder, name), IsCounted, Options.Value);
        return Path.Combine(folder, own + ".dll");
    }

    /// <summary>Forgets the last input's branches.</summary>
    public void Clear()
    {
        new Span<byte>(_counts, Bytes).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>Whether the input took a branch that none before has taken, or one far more often.</summary>
    public bool IsNew()
    {
        var isNew = false;
        var counts = new ReadOnlySpan<byte>(_counts, Bytes);
        for (var i = 0; i < Bytes; i++)
        {
            if (counts[i] == 0)
                continue;
            var bucket = BucketOf(counts[i]);
            isNew |= (_seen[i] & bucket) == 0;
            _seen[i] |= bucket;
        }

        return isNew;
    }

    private static bool IsCounted(string type) =>
        Counted.Any(c => type.StartsWith("Microsoft.ML.Moe." + c, StringComparison.Ordinal));

    private static byte BucketOf(byte count) => count switch
    {
        1 => 1,
        2 => 2,
        3 => 4,
        < 8 => 8,
        < 16 => 16,
        < 32 => 32,
        < 128 => 64,
        _ => 128,
    };
}
