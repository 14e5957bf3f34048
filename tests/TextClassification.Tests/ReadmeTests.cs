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
        Assert.Equal(expected.Order(), Rows("## Options\n").Order());
    }

    [Fact]
    public void The_image_classifier_s_options_are_in_its_table_or_those_of_the_text_classifier()
    {
        var options = new MoeImageClassificationTrainer.Options();
        var expected = options.GetType().GetProperties().Select(option => $"{option.Name} {Written(option.GetValue(options))}");
        var (text, own) = (Rows("## Options\n"), Rows("## Options of the image classifier\n"));
        Assert.Equal(expected.Except(text).Order(), own.Order());
    }

    private static IEnumerable<string> Rows(string heading)
    {
        var readme = File.ReadAllText(Readme()).ReplaceLineEndings("\n");
        var start = readme.IndexOf(heading, StringComparison.Ordinal) + heading.Length;
        var end = readme.IndexOf("\n## ", start, StringComparison.Ordinal);
        return OptionRow().Matches(readme[start..end]).Select(row => $"{row.Groups["name"]} {row.Groups["value"]}");
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
