using System.Globalization;

namespace Microsoft.ML.Moe.Training;

/// <summary>What ranks gain over one of them with as many threads. Times are milliseconds of a step.</summary>
/// <param name="Ranks">Number of ranks.</param>
/// <param name="Computing">Of the gradients of a rank's shards: of the rank that takes longest.</param>
/// <param name="ComputingAlone">Of the gradients of all shards, if one rank computed them all.</param>
/// <param name="Exchange">Of the exchange of gradients.</param>
/// <param name="Rest">Of what each rank does in full, above all the optimizer's step; 0 where it has not been measured.</param>
internal readonly record struct ParallelGain(int Ranks, double Computing, double ComputingAlone, double Exchange, double Rest)
{
    /// <summary>A step of the ranks.</summary>
    public double Step => Computing + Exchange + Rest;

    /// <summary>How many times as fast as one rank they are.</summary>
    public double Speed => (ComputingAlone + Rest) / Step;

    /// <summary>What is told before the first step, when the optimizer's has not been measured.</summary>
    public string BeforeTraining => Text(
        $"{Ranks} ranks will take {Step:0.0} ms for the gradient of a batch, {Exchange:0.0} ms of it exchange; {Speed:0.0} times as fast as one rank with as ")
        + "many threads. The optimizer's part of a step comes on top, on one rank as on several.";

    /// <summary>What is told after some steps. Their exchange contains waiting for the slowest rank.</summary>
    public string AfterSteps => Text(
        $"{Ranks} ranks: a step takes {Step:0.0} ms, {Exchange:0.0} ms of it exchange and waiting; {Speed:0.0} times as fast as one rank ")
        + "with as many threads.";

    /// <summary>What to do where one rank is faster; null where it is not.</summary>
    /// <param name="bytes">Length of a rank's gradient.</param>
    public string? Advice(long bytes) => Speed >= 1 ? null
        : Text($"{Ranks} ranks train more slowly than one: a step's exchange, {bytes / 1e6:0.0} MB from each rank, takes {Exchange:0.0} ms, and computing ")
        + Text($"the batch's gradient alone {ComputingAlone:0.0} ms. Start one rank, connect the machines by a faster network, or give a step more to compute ")
        + "by a larger BatchSize or Width. Ranks of one machine divide its CPUs among them by Threads.";

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
