using System.Collections.Concurrent;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;

namespace Microsoft.ML.Moe.Benchmarks.Serving;

/// <summary>
/// <c>serving</c>: puts load on a running <c>samples/Serving</c> and tells how long answers take: first from so many callers that each wait
/// for their answer, which gives its capacity, then at shares of that at fixed points of time, whether answers are out or not.
/// </summary>
internal sealed class ServingCommand : System.CommandLine.Command
{
    private const int WarmUpRequests = 500;
    private static readonly Option<string> Url = new("--url") { DefaultValueFactory = _ => "http://127.0.0.1:5000", HelpName = "URL" };
    private static readonly Option<int> Callers = new("--callers")
    {
        Description = "Callers that give the capacity.",
        DefaultValueFactory = _ => 64,
    };

    private static readonly Option<double> Seconds = new("--seconds")
    {
        Description = "Length of each measurement.",
        DefaultValueFactory = _ => 10,
    };

    private static readonly int[] Percents = [50, 90];

    public ServingCommand()
        : base("serving", "Measures the latency of samples/Serving, which has to run, at 50 and 90 % of its capacity.")
    {
        foreach (var option in (Option[])[Url, Callers, Seconds])
            Options.Add(option);
        SetAction((result, _) =>
            RunAsync(new Uri(result.GetValue(Url)!), result.GetValue(Callers), TimeSpan.FromSeconds(result.GetValue(Seconds))));
    }

    private static async Task RunAsync(Uri url, int callers, TimeSpan time)
    {
        using var client = new HttpClient { BaseAddress = url };
        for (var i = 0; i < WarmUpRequests; i++)
            await AskAsync(client, i);

        var closed = await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            var times = new List<double>();
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < time;)
                times.Add(await AskAsync(client, caller + times.Count));
            return times;
        })));
        var capacity = closed.Sum(times => times.Count) / time.TotalSeconds;
        Console.WriteLine("| load | requests a second | p50 | p99 |");
        Console.WriteLine("|---|---|---|---|");
        Tell($"{callers} callers, as fast as they can", capacity, [.. closed.SelectMany(times => times)]);
        foreach (var percent in Percents)
            Tell($"{percent} %", capacity * percent / 100, await AtRateAsync(client, capacity * percent / 100, time));
    }

    /// <summary>Asks at fixed points of time; an answer's time begins at its point, so that a server that lags is not asked less.</summary>
    private static async Task<double[]> AtRateAsync(HttpClient client, double rate, TimeSpan time)
    {
        var times = new ConcurrentBag<double>();
        var answers = new List<Task>();
        var clock = Stopwatch.StartNew();
        for (var number = 0; number < rate * time.TotalSeconds; number++)
        {
            var due = number / rate;
            while (due - clock.Elapsed.TotalSeconds is > 0 and var left)
                await Task.Delay(TimeSpan.FromSeconds(Math.Max(left, 0.001)));
            var own = number;
            answers.Add(Task.Run(async () =>
            {
                await AskAsync(client, own);
                times.Add(clock.Elapsed.TotalSeconds - due);
            }));
        }

        await Task.WhenAll(answers);
        return [.. times];
    }

    private static async Task<double> AskAsync(HttpClient client, int number)
    {
        var clock = Stopwatch.StartNew();
        var request = new { text = $"Returns the {number % 997}th element of a sequence, or a default value." };
        using var response = await client.PostAsJsonAsync("score", request);
        response.EnsureSuccessStatusCode();
        await response.Content.ReadAsByteArrayAsync();
        return clock.Elapsed.TotalSeconds;
    }

    private static void Tell(string load, double rate, double[] times)
    {
        Array.Sort(times);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"| {load} | {rate:0} | {1000 * At(0.5):0.0} ms | {1000 * At(0.99):0.0} ms |"));

        double At(double share) => times[(int)Math.Min(times.Length - 1, share * times.Length)];
    }
}
