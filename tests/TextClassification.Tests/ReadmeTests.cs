using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe;

namespace TextClassification.Tests;

public partial class ReadmeTests
{
    [Fact]
    public void The_table_of_options_names_every_option_with_its_default()
    {
        var options = new MoeTextClassificationTrainer.Options();
        var expected = options.GetType().GetProperties().Select(option => $"{option.Name} {Written(option.GetValue(options))}");
        var actual = OptionRow().Matches(File.ReadAllText(Readme())).Select(row => $"{row.Groups["name"]} {row.Groups["value"]}");
        Assert.Equal(expected.Order(), actual.Order());
    }

    private static string Written(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        CancellationToken => "none",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Readme([CallerFilePath] string file = "") =>
        Path.Combine(Path.GetDirectoryName(file)!, "..", "..", "README.md");

    [GeneratedRegex(@"^\| `(?<name>\w+)` \| `?(?<value>[^|`]+?)`? \|", RegexOptions.Multiline)]
    private static partial Regex OptionRow();
}
