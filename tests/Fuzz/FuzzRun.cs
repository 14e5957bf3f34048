using System.Diagnostics;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>What is wrong with a reader.</summary>
/// <param name="Number">Number of the input.</param>
/// <param name="What">An exception that is not documented, memory, or time.</param>
/// <param name="Input">What it was given.</param>
internal sealed record Finding(long Number, string What, FuzzInput Input);

/// <summary>Reads input after input, and notes what is wrong.</summary>
/// <param name="target">The reader.</param>
/// <param name="seed">Number of the row of inputs.</param>
internal sealed class FuzzRun(FuzzTarget target, int seed)
{
    private const int MostFindings = 100;
    private readonly InputMaker _inputs = new(target, seed);
    private readonly HashSet<string> _kinds = [];

    /// <summary>Tells which code an input has reached; null where nobody counts.</summary>
    public BranchCoverage? Coverage { get; init; }

    /// <summary>Watches over the time that an input takes; null for nobody.</summary>
    public Watchdog? Watchdog { get; init; }

    /// <summary>Inputs read.</summary>
    public long Inputs { get; private set; }

    /// <summary>Those that were accepted.</summary>
    public long Accepted { get; private set; }

    /// <summary>Inputs that others are made of.</summary>
    public int Kept => _inputs.Kept;

    /// <summary>One finding of each kind.</summary>
    public List<Finding> Findings { get; } = [];

    /// <summary>Checks that the valid inputs are read, and counts what they reach as known.</summary>
    public void ReadSeeds()
    {
        foreach (var input in target.Seeds)
        {
            Coverage?.Clear();
            target.Read(target.Repair(input));
            _ = Coverage?.IsNew();
        }
    }

    /// <summary>Reads inputs until enough were read.</summary>
    /// <param name="first">Number of the first.</param>
    /// <param name="isEnough">Says so, after each.</param>
    public void Run(long first, Func<bool> isEnough)
    {
        for (var number = first; Findings.Count < MostFindings; number++)
        {
            Read(number, _inputs.Make(number));
            if (isEnough())
                return;
        }
    }

    /// <summary>Reads an input.</summary>
    /// <returns>What is wrong; null for nothing.</returns>
    public string? Read(long number, FuzzInput input)
    {
        Watchdog?.Begin(number, input);
        Coverage?.Clear();
        var before = GC.GetAllocatedBytesForCurrentThread();
        string? wrong = null;
        try
        {
            target.Read(input);
            Accepted++;
        }
        catch (Exception e) when (target.IsDocumented(e))
        {
            // as it should be
        }
        catch (Exception e)
        {
            wrong = $"an exception that is not documented: {e}";
            Note(number, input, wrong, KindOf(e));
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Watchdog?.End();
        if (allocated > target.MostAllocated(input.Length))
        {
            wrong = $"{allocated:N0} bytes allocated for an input of {input.Length:N0}";
            Note(number, input, wrong, "memory");
        }

        if (wrong is null && Coverage?.IsNew() == true)
            _inputs.Keep(input);
        Inputs++;
        return wrong;
    }

    private void Note(long number, FuzzInput input, string what, string kind)
    {
        if (_kinds.Add(kind))
            Findings.Add(new Finding(number, what, input));
    }

    // what was thrown, and where
    private static string KindOf(Exception exception)
    {
        var inner = exception.GetBaseException();
        var places = new StackTrace(inner).GetFrames().Take(3).Select(f => $" {f.GetMethod()?.DeclaringType}.{f.GetMethod()?.Name}");
        return inner.GetType().Name + string.Concat(places);
    }
}

/// <summary>Ends the process when an input takes far longer than any should.</summary>
internal sealed class Watchdog : IDisposable
{
    private readonly TimeSpan _most;
    private readonly Action<Finding> _end;
    private readonly Timer _timer;
    private readonly Lock _lock = new();
    private (long Number, FuzzInput Input, long Since)? _current;

    /// <summary>Begins to watch.</summary>
    /// <param name="most">Time for an input.</param>
    /// <param name="end">Notes the input and ends the process: a thread cannot be stopped.</param>
    public Watchdog(TimeSpan most, Action<Finding> end)
    {
        (_most, _end) = (most, end);
        _timer = new Timer(_ => Look(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    /// <summary>An input is read from now on.</summary>
    public void Begin(long number, FuzzInput input)
    {
        lock (_lock)
            _current = (number, input, Stopwatch.GetTimestamp());
    }

    /// <summary>It was read.</summary>
    public void End()
    {
        lock (_lock)
            _current = null;
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        (long Number, FuzzInput Input, long Since)? current;
        lock (_lock)
            current = _current;
        if (current is { } running && Stopwatch.GetElapsedTime(running.Since) > _most)
        {
            var what = $"over {_most.TotalSeconds:0} seconds for an input of {running.Input.Length:N0} bytes";
            _end(new Finding(running.Number, what, running.Input));
        }
    }
}
