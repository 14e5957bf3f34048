namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>A reader of outside data, with valid inputs to begin with.</summary>
internal abstract class FuzzTarget : IDisposable
{
    private readonly Lazy<IReadOnlyList<FuzzInput>> _seeds;

    protected FuzzTarget() => _seeds = new(() => [.. CreateSeeds()]);

    /// <summary>What the command line calls it.</summary>
    public abstract string Name { get; }

    /// <summary>Valid inputs, made by the library itself.</summary>
    public IReadOnlyList<FuzzInput> Seeds => _seeds.Value;

    /// <summary>A folder in memory where the system has one, for readers of files.</summary>
    protected TemporaryPlace Place { get; } = new();

    /// <summary>Reads an input as an application would.</summary>
    public abstract void Read(FuzzInput input);

    /// <summary>Whether the reader's documentation names an exception.</summary>
    public virtual bool IsDocumented(Exception exception) => exception is InvalidDataException;

    /// <summary>Most bytes that reading may allocate, by the input's length; buffers of fixed size besides.</summary>
    public virtual long MostAllocated(long length) => (8L << 20) + 256 * length;

    /// <summary>What is done to an input after its files were changed, so that deeper code is reached: digests are made to fit.</summary>
    public virtual FuzzInput Repair(FuzzInput input) => input;

    public virtual void Dispose() => Place.Dispose();

    /// <summary>Makes the valid inputs.</summary>
    protected abstract IEnumerable<FuzzInput> CreateSeeds();
}

/// <summary>A folder that is emptied again and again.</summary>
internal sealed class TemporaryPlace : IDisposable
{
    private const string InMemory = "/dev/shm";
    private readonly Lazy<string> _path = new(() => Directory.Exists(InMemory)
        ? Directory.CreateDirectory(System.IO.Path.Combine(InMemory, "moe-fuzz-" + Guid.NewGuid().ToString("N"))).FullName
        : Directory.CreateTempSubdirectory("moe-fuzz-").FullName);

    /// <summary>The folder.</summary>
    public string Path => _path.Value;

    /// <summary>A file in it.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Puts an input's files in place of all that is there.</summary>
    public string Fill(FuzzInput input)
    {
        Empty();
        input.WriteTo(Path, keepsPaths: true);
        return Path;
    }

    /// <summary>Deletes what is there.</summary>
    public void Empty()
    {
        foreach (var entry in new DirectoryInfo(Path).EnumerateFileSystemInfos())
            if (entry is DirectoryInfo folder)
                folder.Delete(recursive: true);
            else
                entry.Delete();
    }

    public void Dispose()
    {
        if (_path.IsValueCreated)
            Directory.Delete(Path, recursive: true);
    }
}
