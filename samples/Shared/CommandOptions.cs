using System.CommandLine;
using System.CommandLine.Invocation;
using System.Globalization;
using System.Text.Json;

namespace Samples;

/// <summary>What the samples' command lines have in common: kinds of options, and failures as one line and an exit code.</summary>
internal static class CommandOptions
{
    private const int Failed = 1;
    private const int WrongUsage = 2;

    /// <summary>Runs what was parsed and gives the exit code: 0, 1 after a failure, 2 when the arguments make no sense.</summary>
    public static int Run(ParseResult result)
    {
        if (result.Action is not ParseErrorAction)
            return result.Invoke();
        foreach (var error in result.Errors.Select(e => e.Message).Distinct())
            Console.Error.WriteLine("Error: " + error);
        Console.Error.WriteLine("--help lists the options.");
        return WrongUsage;
    }

    /// <summary>Does the work, and tells in one line why it failed.</summary>
    public static int Guarded(Action work)
    {
        try
        {
            work();
            return 0;
        }
        catch (Exception failure)
        {
            Console.Error.WriteLine("Error: " + OneLine(failure));
            return Failed;
        }
    }

    /// <summary>The innermost message, without the line that .NET adds for the parameter's name.</summary>
    internal static string OneLine(Exception failure)
    {
        while (failure is AggregateException or System.Reflection.TargetInvocationException && failure.InnerException is { } inner)
            failure = inner;
        var message = failure.Message;
        if (failure is ArgumentException { ParamName: { Length: > 0 } name })
            message = message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal);
        return string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    public static Option<string> Name(string name, string description, string of) =>
        new(name) { Description = description, HelpName = of };

    public static Option<double?> Real(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "X",
        CustomParser = argument =>
        {
            var token = argument.Tokens[0].Value;
            if (double.TryParse(token, CultureInfo.InvariantCulture, out var number))
                return number;
            argument.AddError($"{name} takes a number, not '{token}'.");
            return null;
        },
    };

    public static Option<T?> Choice<T>(string name, string description)
        where T : struct, Enum
    {
        var byName = Enum.GetValues<T>().ToDictionary(value => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString()));
        return new(name)
        {
            Description = description,
            HelpName = string.Join('|', byName.Keys),
            CustomParser = argument =>
            {
                var token = argument.Tokens[0].Value;
                if (byName.TryGetValue(token, out var value))
                    return value;
                argument.AddError($"{name} takes one of {string.Join(", ", byName.Keys)}, not '{token}'.");
                return null;
            },
        };
    }

    public static Option<int?> Number(string name, string description, int minimum) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = argument =>
        {
            var token = argument.Tokens[0].Value;
            if (int.TryParse(token, CultureInfo.InvariantCulture, out int number) && number >= minimum)
                return number;
            var range = minimum == int.MinValue ? "" : $" of at least {minimum}";
            argument.AddError($"{name} takes a whole number{range}, not '{token}'.");
            return null;
        },
    };
}
