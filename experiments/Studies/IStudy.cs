using Microsoft.ML.Moe.Experiments.Runs;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>A question, the runs that answer it, and the tables.</summary>
internal interface IStudy
{
    /// <summary>The runs, in the order in which they are to be made.</summary>
    IEnumerable<Run> Runs { get; }

    /// <summary>Whether the runs measure times, so that nothing else may run beside them.</summary>
    bool MeasuresTime => false;

    /// <summary>Makes what the runs need; called before the first of them.</summary>
    void Prepare(CancellationToken stop)
    {
    }

    /// <summary>What the finished runs say, in Markdown.</summary>
    string Report(RunLog log);
}
