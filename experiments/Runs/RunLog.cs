using System.Text;
using System.Text.Json;

namespace Microsoft.ML.Moe.Experiments.Runs;

/// <summary>
/// The finished runs, one line of JSON each, written as soon as a run is finished. A line that was cut off when the program was
/// stopped is passed over. Safe to use from several threads.
/// </summary>
internal sealed class RunLog
{
    private readonly Lock _lock = new();
    private readonly string _file;
    private readonly Dictionary<RunKey, RunResult> _results = [];

    /// <summary>Reads the log, if there is one.</summary>
    public RunLog(string file)
    {
        _file = file;
        if (!File.Exists(file))
            return;
        foreach (var line in File.ReadLines(file))
            if (Parse(line) is { } result)
                _results[result.Key] = result;
    }

    /// <summary>The result of a run, or null if it is not finished.</summary>
    public RunResult? Find(RunKey key)
    {
        lock (_lock)
            return _results.GetValueOrDefault(key);
    }

    /// <summary>Adds a result to the log and to its file.</summary>
    public void Add(RunResult result)
    {
        var line = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(result, JsonSerializerOptions.Web) + "\n");
        lock (_lock)
        {
            using var stream = new FileStream(_file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            if (!EndsWithLine(stream))
                stream.WriteByte((byte)'\n');
            stream.Write(line);
            _results[result.Key] = result;
        }
    }

    // Leaves the stream at its end.
    private static bool EndsWithLine(FileStream stream)
    {
        if (stream.Length == 0)
            return true;
        stream.Seek(-1, SeekOrigin.End);
        return stream.ReadByte() == '\n';
    }

    private static RunResult? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<RunResult>(line, JsonSerializerOptions.Web) is { Key: not null, Values: not null } result
                ? result
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
