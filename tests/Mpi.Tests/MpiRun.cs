using System.Diagnostics;

namespace Microsoft.ML.Moe.Tests.Mpi;

/// <summary>Starts this program as ranks on this machine.</summary>
internal static class MpiRun
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Skips the test where an <c>mpirun</c> is not installed.</summary>
    public static void SkipWithout(string command) => Skip.If(Find(command) is null, $"There is no {command} here.");

    /// <summary>Starts ranks and waits for their end.</summary>
    /// <param name="command">The <c>mpirun</c>.</param>
    /// <param name="ranks">Number of ranks.</param>
    /// <param name="args">What <see cref="Program"/> is told.</param>
    /// <returns>Exit code, and what all of them have written.</returns>
    public static (int Code, string Output) Start(string command, int ranks, params string[] args)
    {
        var isOpenMpi = command.EndsWith("openmpi", StringComparison.Ordinal);
        string[] options = isOpenMpi ? ["--allow-run-as-root", "--oversubscribe", "--mca", "btl", "self,vader,tcp"] : [];
        return Start(
            new ProcessStartInfo(Find(command)!, [.. options, "-n", $"{ranks}", Host, .. OwnProgram, .. args])
            {
                Environment = { ["OMPI_MCA_rmaps_base_oversubscribe"] = "1" },
            });
    }

    /// <summary>Starts the program by itself, with a variable that an <c>mpirun</c> would have set.</summary>
    public static (int Code, string Output) StartAlone(string variable, string value) =>
        Start(new ProcessStartInfo(Host, OwnProgram) { Environment = { [variable] = value } });

    private static string Host => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private static string[] OwnProgram => ["exec", typeof(MpiRun).Assembly.Location];

    private static (int Code, string Output) Start(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        // ranks that wait for each other for ever are to fail, not to hang
        if (!process.WaitForExit(Patience))
            process.Kill(entireProcessTree: true);
        process.WaitForExit();
        return (process.ExitCode, output.GetAwaiter().GetResult() + errors.GetAwaiter().GetResult());
    }

    private static string? Find(string command) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, command)).FirstOrDefault(File.Exists);
}
