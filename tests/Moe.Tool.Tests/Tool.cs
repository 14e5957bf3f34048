using System.Text.RegularExpressions;
using Spectre.Console.Testing;

namespace MoeTool.Tests;

/// <summary>Runs the tool within the test's process.</summary>
internal static class Tool
{
    /// <summary>Runs a command that shall succeed, and gives what it wrote.</summary>
    public static string Run(params string[] args)
    {
        var (code, output, errors) = RunWith("", args);
        Assert.True(code == 0, errors);
        Assert.Empty(errors);
        return output;
    }

    /// <summary>Runs a command that shall fail, and gives the one line that says why.</summary>
    public static string Fail(int exitCode, params string[] args)
    {
        var (code, _, errors) = RunWith("", args);
        Assert.Equal(exitCode, code);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        return Assert.Single(errors.Split('\n'), line => line.StartsWith("Error: ", StringComparison.Ordinal));
    }

    /// <summary>Runs a command.</summary>
    /// <param name="input">What it reads from its input.</param>
    /// <param name="args">The command line.</param>
    public static (int Code, string Output, string Errors) RunWith(string input, params string[] args)
    {
        using var console = new TestConsole();
        console.Profile.Width = 1000;
        using var errors = new StringWriter();
        using var reader = new StringReader(input);
        var code = App.Run(args, new ToolConsole(console, errors, reader));
        return (code, console.Output, errors.ToString());
    }

    /// <summary>The number on a line of its own.</summary>
    public static double Number(string output, string name, string unit = "") =>
        double.Parse(
            Regex.Match(output, $@"(?m)^{Regex.Escape(name)}: (\d+(\.\d+)?){unit}\r?$").Groups[1].Value,
            System.Globalization.CultureInfo.InvariantCulture);
}
