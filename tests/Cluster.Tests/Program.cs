using System.CommandLine;
using System.Globalization;

namespace Microsoft.ML.Moe.Tests.Cluster;

/// <summary>
/// The long form: <c>dotnet run -c Release --project tests/Cluster.Tests</c>. Started again as a child, a silo that is to be killed.
/// </summary>
internal static class Program
{
    private static readonly Option<int> Kills = new("--kills")
    {
        Description = "Kills of the silo that coordinates.", HelpName = "N", DefaultValueFactory = _ => 10,
    };

    private static async Task<int> Main(string[] args)
    {
        if (args is [SiloProcess.Verb, var port, var folder])
            return await SiloProcess.RunAsync(port, folder);
        var root = new RootCommand("Sweeps on two silos and kills the one that coordinates; prints a table of what was lost.") { Kills };
        root.SetAction((parsed, _) => RunAsync(parsed.GetValue(Kills)));
        return await root.Parse(args).InvokeAsync();
    }

    private static async Task<int> RunAsync(int kills)
    {
        Console.WriteLine("| kills | silos that ended besides | same as on one machine | epochs | trained again | most ends of a trial | seconds |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        for (var (done, seed) = (0, 3); done < kills; seed++)
        {
            var report = await KilledSweep.RunAsync(kills - done, seed);
            done += Math.Max(1, report.Kills);
            var same = report.IsSame ? "yes" : "no";
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {report.Kills} | {report.Lost} | {same} | {report.Epochs} | {report.Repeated} | {report.MostEnds} | {report.Time.TotalSeconds:0} |"));
        }

        return 0;
    }
}
