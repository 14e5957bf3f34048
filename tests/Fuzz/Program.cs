using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO.MemoryMappedFiles;
using SharpFuzz;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>The program for hours: <c>dotnet run --project tests/Fuzz -- TARGET --seconds 3600</c>.</summary>
internal static class Program
{
    private const int FoundCode = 1;
    private const int TimeCode = 3;

    // before anything of the library runs, as what is instrumented writes where this says
    private static readonly BranchCoverage? Coverage = BranchCoverage.Begin();
    private static readonly Argument<string> Target = new("target") { Description = $"The reader: {string.Join(", ", Targets.Names)}." };
    private static readonly Option<long?> Count = new("--inputs") { Description = "Read so many inputs.", HelpName = "N" };
    private static readonly Option<double?> Seconds = new("--seconds") { Description = "Read inputs for so long.", HelpName = "S" };
    private static readonly Option<int> Seed = new("--seed")
    {
        Description = "Another seed, other inputs.",
        HelpName = "N",
        DefaultValueFactory = _ => 1,
    };

    private static readonly Option<long> First = new("--first")
    {
        Description = "Number of the first input, to repeat one.",
        HelpName = "N",
    };

    private static readonly Option<bool> Guided = new("--guided")
    {
        Description = "Instrument the readers with SharpFuzz, and make inputs of those that reach new code.",
    };

    private static readonly Option<string?> Repeat = new("--repeat")
    {
        Description = "Read the input in a folder, as a finding leaves one.",
        HelpName = "FOLDER",
    };

    private static readonly Option<string> Findings = new("--findings")
    {
        Description = "Where findings go.",
        HelpName = "FOLDER",
        DefaultValueFactory = _ => "findings",
    };

    private static readonly Option<double> Watch = new("--watchdog")
    {
        Description = "Seconds that an input may take.",
        HelpName = "S",
        DefaultValueFactory = _ => 10,
    };

    private static readonly Option<string?> Driver = new("--driver")
    {
        Description = "Be driven: by afl-fuzz (afl) or libfuzzer-dotnet (libfuzzer), which have to be installed. The input is the target's "
            + "first file.",
        HelpName = "NAME",
    };

    private static int Main(string[] args)
    {
        var root = new RootCommand(
            "Gives a reader of outside data inputs that are wrong, and tells what it does not refuse as its documentation says.")
        {
            Target, Count, Seconds, Seed, First, Guided, Repeat, Findings, Watch, Driver,
        };
        Target.AcceptOnlyFromAmong([.. Targets.Names]);
        root.SetAction(parsed => parsed.GetValue(Guided) && Coverage is null ? RunInstrumented(args) : Run(parsed));
        return root.Parse(args).Invoke();
    }

    private static int Run(ParseResult parsed)
    {
        using var target = Targets.Create(parsed.GetValue(Target)!);
        if (parsed.GetValue(Repeat) is { } folder)
        {
            var wrong = new FuzzRun(target, 0).Read(0, FuzzInput.ReadFrom(folder));
            Console.WriteLine(wrong ?? "refused or accepted as documented");
            return wrong is null ? 0 : FoundCode;
        }

        if (parsed.GetValue(Driver) is { } driver)
            return Drive(driver, target);

        var seed = parsed.GetValue(Seed);
        var findings = Path.Combine(Path.GetFullPath(parsed.GetValue(Findings)!), target.Name);
        using var watchdog = new Watchdog(TimeSpan.FromSeconds(parsed.GetValue(Watch)), finding =>
        {
            Write(finding, findings, seed);
            Environment.Exit(TimeCode);
        });
        var run = new FuzzRun(target, seed) { Coverage = Coverage, Watchdog = watchdog };
        run.ReadSeeds();

        // what a crash of the process leaves behind: the number of the input
        Directory.CreateDirectory(findings);
        var running = Path.Combine(findings, $"{seed}.running");
        var clock = Stopwatch.StartNew();
        using (var file = MemoryMappedFile.CreateFromFile(running, FileMode.Create, null, sizeof(long)))
        using (var place = file.CreateViewAccessor())
        {
            var (first, told, written) = (parsed.GetValue(First), clock.Elapsed, 0);
            run.Run(first, () =>
            {
                place.Write(0, first + run.Inputs);
                for (; written < run.Findings.Count; written++)
                    Write(run.Findings[written], findings, seed);
                if (clock.Elapsed - told > TimeSpan.FromSeconds(30))
                {
                    told = clock.Elapsed;
                    Console.WriteLine(Summary(target, run, seed, clock.Elapsed));
                }

                return run.Inputs >= (parsed.GetValue(Count) ?? long.MaxValue)
                    || clock.Elapsed.TotalSeconds >= (parsed.GetValue(Seconds) ?? (parsed.GetValue(Count) is null ? 60 : double.MaxValue));
            });
        }

        File.Delete(running);
        Console.WriteLine(Summary(target, run, seed, clock.Elapsed));
        return run.Findings.Count == 0 ? 0 : FoundCode;
    }

    private static string Summary(FuzzTarget target, FuzzRun run, int seed, TimeSpan time)
    {
        var inputs = string.Create(
            CultureInfo.InvariantCulture, $"{run.Inputs:N0} inputs in {time.TotalSeconds:0} s, {run.Accepted:N0} accepted");
        var guided = run.Coverage is { } coverage
            ? string.Create(CultureInfo.InvariantCulture, $", {coverage.Reached:N0} branches, {run.Kept:N0} inputs kept")
            : "";
        return $"{target.Name}: seed {seed}, {inputs}, {run.Findings.Count} findings{guided}";
    }

    private static void Write(Finding finding, string folder, int seed)
    {
        var place = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{seed}-{finding.Number}"));
        finding.Input.WriteTo(place);
        Console.WriteLine($"Finding: seed {seed}, input {finding.Number}, in {place}: {finding.What}");
    }

    private static int RunInstrumented(string[] args)
    {
        var program = BranchCoverage.Instrument(Path.Combine(AppContext.BaseDirectory, "instrumented"));
        var host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        using var process = Process.Start(new ProcessStartInfo(host, ["exec", program, .. args]))!;
        process.WaitForExit();
        return process.ExitCode;
    }

    private static int Drive(string driver, FuzzTarget target)
    {
        var seed = target.Seeds[0];
        void Read(byte[] content)
        {
            try
            {
                target.Read(target.Repair(seed.With(seed.Files[0], content)));
            }
            catch (Exception e) when (target.IsDocumented(e))
            {
                // as it should be
            }
        }

        if (driver == "libfuzzer")
            Fuzzer.LibFuzzer.Run(bytes => Read(bytes.ToArray()));
        else
            Fuzzer.OutOfProcess.Run(stream =>
            {
                using var content = new MemoryStream();
                stream.CopyTo(content);
                Read(content.ToArray());
            });
        return 0;
    }
}
