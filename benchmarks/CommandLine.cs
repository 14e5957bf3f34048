using System.CommandLine;
using Microsoft.ML.Moe.Benchmarks.Gpu;
using Microsoft.ML.Moe.Benchmarks.Measurement;
using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Benchmarks.Reporting;

namespace Microsoft.ML.Moe.Benchmarks;

/// <summary>Reads the command line and runs what it asks for.</summary>
internal static class CommandLine
{
    private const string All = "all";

    private static readonly Argument<string[]> Ids = new("ids")
    {
        Description = $"What to measure: {All}, or some of {string.Join(", ", Suite.Ids)}.",
        DefaultValueFactory = _ => [All],
    };

    /// <summary>Where the figures are written to.</summary>
    public static Option<FileInfo?> Json { get; } = new("--json") { Description = "Also write the figures as JSON.", HelpName = "FILE" };

    /// <summary>Rounds of each pair.</summary>
    public static Option<int> Rounds { get; } = CreateRounds();

    /// <summary>Numbers of threads to measure on.</summary>
    public static Option<int[]> Threads { get; } = CreateThreads();

    /// <summary>Instructions that all sides are kept to.</summary>
    public static Option<string?> Isa { get; } = CreateIsa();

    public static int Run(string[] args)
    {
        var parsed = Parse(args);
        return parsed.Errors.Count > 0
            ? parsed.Invoke()
            : ReferenceEnvironment.RunAgain(args, parsed.GetValue(Isa)) ?? parsed.Invoke();
    }

    private static ParseResult Parse(string[] args)
    {
        var root = new RootCommand("Measures the managed engine: ratios, each taken within one run, and the machine's limits.")
        {
            Ids, Json, Rounds, Threads, Isa, new GpuCommand(Json, Rounds), new GpuPartCommand(), new LargeModelCommand(),
            new AdaptersCommand(), new Serving.ServingCommand(), new SweepsCommand(), new ProposalsCommand(), new RanksCommand(),
        };
        Ids.Validators.Add(result =>
        {
            foreach (var id in result.Tokens.Select(token => token.Value))
            {
                if (!Suite.Ids.Prepend(All).Contains(id, StringComparer.OrdinalIgnoreCase))
                    result.AddError($"'{id}' is not measured here; known are {All}, {string.Join(", ", Suite.Ids)}.");
            }
        });
        root.SetAction(result =>
        {
            var ids = result.GetValue(Ids)!;
            if (ids.Contains(All, StringComparer.OrdinalIgnoreCase))
                ids = [.. Suite.Ids];
            var figures = Suite.Run(ids, result.GetValue(Rounds), result.GetValue(Threads)!);
            if (result.GetValue(Json) is { } file)
                JsonReport.Write(file, figures);
        });
        return root.Parse(args);
    }

    private static Option<int[]> CreateThreads()
    {
        var threads = new Option<int[]>("--threads")
        {
            Description = "Measure on so many threads; can be given more than once. Where not given, 1 and 2.",
            HelpName = "N",
        };
        threads.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => !(int.TryParse(token.Value, out var number) && number >= 1)))
                result.AddError("--threads takes whole numbers of at least 1.");
        });
        return threads;
    }

    private static Option<string?> CreateIsa()
    {
        var isa = new Option<string?>("--isa")
        {
            Description =
                $"Measure as on a CPU with these instructions: {string.Join(", ", ReferenceEnvironment.InstructionSets)}. The program starts itself "
                + "again with DOTNET_EnableAVX512=0 or DOTNET_EnableAVX=0, and with what makes OpenBLAS, PyTorch and llama.cpp keep to the same "
                + "instructions; ONNX Runtime and LightGBM have no such setting. By default all use the widest that there are.",
            HelpName = "SET",
        };
        isa.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !ReferenceEnvironment.InstructionSets.Contains(token.Value))
                result.AddError($"--isa takes {string.Join(", ", ReferenceEnvironment.InstructionSets)}.");
        });
        return isa;
    }

    private static Option<int> CreateRounds()
    {
        var rounds = new Option<int>("--rounds")
        {
            Description = $"Rounds of each pair, at least {PairedRunner.FewestRounds}.",
            HelpName = "N",
            DefaultValueFactory = _ => PairedRunner.FewestRounds,
        };
        rounds.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var rounds) && rounds >= PairedRunner.FewestRounds))
                result.AddError($"--rounds takes a whole number of at least {PairedRunner.FewestRounds}.");
        });
        return rounds;
    }
}
