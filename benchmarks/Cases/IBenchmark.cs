using Microsoft.ML.Moe.Benchmarks.Measurement;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>One row of the table of goals.</summary>
internal interface IBenchmark
{
    /// <summary>Id of the row.</summary>
    string Id { get; }

    /// <summary>What the reference calls itself; null when it is part of this repository.</summary>
    string? Reference => null;

    /// <summary>The reference that is needed and not there; null when nothing is missing.</summary>
    string? MissingReference => null;

    /// <summary>Measures on a number of threads.</summary>
    IEnumerable<Figure> Measure(PairedRunner runner, int threads);
}
