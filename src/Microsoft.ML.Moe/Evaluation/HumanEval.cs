namespace Microsoft.ML.Moe.Evaluation;

/// <summary>A program that a model went on with, and the tests of its task.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="Prompt">What the model was given.</param>
/// <param name="Completion">What it wrote.</param>
/// <param name="Test">Code that defines <c>check</c>.</param>
/// <param name="EntryPoint">The function that is tested.</param>
internal readonly record struct HumanEvalSample(string Task, string Prompt, string Completion, string Test, string EntryPoint)
{
    /// <summary>The program that passes if it ends without an error, as HumanEval's own evaluation puts it together.</summary>
    public string Program => $"{Prompt}{Completion}\n{Test}\ncheck({EntryPoint})";
}

/// <summary>Lets the application run programs, one after the other or several at once.</summary>
internal static class HumanEvalProtocol
{
    /// <summary>Runs all programs.</summary>
    /// <param name="samples">Samples.</param>
    /// <param name="run">The application's runner.</param>
    /// <param name="concurrentRuns">How many programs may run at once.</param>
    /// <param name="cancellation">Ends it with an exception, and is handed to the runner.</param>
    /// <returns>Task of each sample, and whether it passed.</returns>
    /// <exception cref="InvalidOperationException">The runner threw an exception, which is the inner one.</exception>
    public static async Task<(string Task, bool Passed)[]> RunAsync(
        List<HumanEvalSample> samples, Func<string, CancellationToken, Task<bool>> run, int concurrentRuns, CancellationToken cancellation)
    {
        var results = new (string Task, bool Passed)[samples.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = concurrentRuns, CancellationToken = cancellation };
        await Parallel.ForAsync(0, samples.Count, options, async (i, stop) =>
        {
            try
            {
                results[i] = (samples[i].Task, await run(samples[i].Program, stop).ConfigureAwait(false));
            }
            catch (Exception failure) when (failure is not OperationCanceledException || !stop.IsCancellationRequested)
            {
                throw new InvalidOperationException(
                    $"The runner failed at row {i + 1}, task '{samples[i].Task}': {failure.Message} A program that fails or takes too long "
                    + "must give false.",
                    failure);
            }
        }).ConfigureAwait(false);
        return results;
    }
}
