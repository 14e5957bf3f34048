using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.Files;

public class NamePatternTests
{
    [Theory]
    [InlineData("layers.{l}.w", "layers.12.w", 12)]
    [InlineData("layers.{l}", "layers.0", 0)]
    [InlineData("{l}.w", "3.w", 3)]
    public void NumbersStandInTheVariablesPlaces(string pattern, string name, int number)
    {
        var numbers = new NamePattern(pattern).Match(name);

        Assert.Equal(number, numbers!["l"]);
        Assert.Equal(name, new NamePattern(pattern).Fill(numbers));
    }

    [Theory]
    [InlineData("layers.{l}.w", "layers..w")]
    [InlineData("layers.{l}.w", "layers.-1.w")]
    [InlineData("layers.{l}.w", "layers.1.w.bias")]
    [InlineData("layers.{l}.w", "layers.99999999999.w")]
    [InlineData("layers.{l}", "layers.1x")]
    [InlineData("a*c", "abcd")]
    [InlineData("*.ids", "ids")]
    [InlineData("a", "")]
    public void OtherNamesDoNotMatch(string pattern, string name) => Assert.Null(new NamePattern(pattern).Match(name));

    [Theory]
    [InlineData("*", "")]
    [InlineData("*", "any.thing")]
    [InlineData("pooler.*", "pooler.dense.weight")]
    [InlineData("*.ids", "a.ids.ids")]
    [InlineData("a*b*c", "aXbYbZc")]
    [InlineData("*.{e}.w", "x.1.y.2.w")]
    public void AnAsteriskIsAnyText(string pattern, string name) => Assert.NotNull(new NamePattern(pattern).Match(name));

    [Fact]
    public void ALongNameTakesNoLongTime()
    {
        var pattern = new NamePattern("*a*a*a*a*a*a*a*a*b");

        Assert.Null(pattern.Match(new string('a', 20_000)));
    }

    [Fact]
    public void AnOpenBraceIsRefused() => Assert.Throws<ArgumentException>(() => new NamePattern("layers.{l.w"));
}
