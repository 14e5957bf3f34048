using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class Gsm8kAnswerTests
{
    [Theory]
    [InlineData("work\n#### 1,234", "1234", "1,234")]
    [InlineData("#### -5 #### 6", "-5", "-5")]
    [InlineData("#### 3.50.", "3.50.", "3.50.")]
    [InlineData("#### $5", "[invalid]", "[invalid]")]
    [InlineData("####5", "[invalid]", "[invalid]")]
    [InlineData("", "[invalid]", "[invalid]")]
    public void TheFirstMarkedNumberIsTaken(string text, string afterMark, string strict)
    {
        Assert.Equal(afterMark, Gsm8kAnswer.AfterMark(text));
        Assert.Equal(strict, Gsm8kAnswer.Strict(text));
    }

    [Theory]
    [InlineData("First 3, then 1,200 dollars", "1,200")]
    [InlineData("It is $1,200", "$1,200")]
    [InlineData("-7 and 8", "8")]
    [InlineData("5-3", "-3")]
    [InlineData("no number", "[invalid]")]
    [InlineData("wait... 4", "4")]
    public void TheLastRunOfDigitsIsTaken(string text, string expected) =>
        Assert.Equal(expected, Gsm8kAnswer.Flexible(text));

    [Theory]
    [InlineData("a #### b #### 1,234.", "1234")]
    [InlineData("$5.00", "5.00")]
    [InlineData("5..", "5.")]
    [InlineData("Five", "five")]
    public void AnswersAreNormalised(string text, string expected) => Assert.Equal(expected, Gsm8kAnswer.Normalise(text));
}
