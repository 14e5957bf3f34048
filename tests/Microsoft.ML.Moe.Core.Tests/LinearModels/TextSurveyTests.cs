using Microsoft.ML.Moe.LinearModels;
using Xunit;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public class TextSurveyTests
{
    [Theory]
    [InlineData(10, 0, 128)]
    [InlineData(10, 300, 128)]
    [InlineData(200, 0, 201)]
    [InlineData(200, 400, 201)]
    [InlineData(700, 0, 512)]
    public void MaximumTokens_CoverNineteenOfTwentyRows(int words, int wordsOfOneInTwenty, int expected)
    {
        var survey = new TextSurvey();
        for (var i = 0; i < 100; i++)
            survey.Add(Text(wordsOfOneInTwenty > 0 && i % 20 == 0 ? wordsOfOneInTwenty : words));
        Assert.Equal(expected, survey.MaximumTokens);
    }

    [Fact]
    public void ManyLongRows_AreCutShorter()
    {
        var survey = new TextSurvey();
        var text = Text(400);
        for (var i = 0; i < 2000; i++)
            survey.Add(text);
        Assert.Equal(325, survey.MaximumTokens);
        for (var i = 0; i < 8000; i++)
            survey.Add(text);
        Assert.Equal(128, survey.MaximumTokens);
    }

    [Fact]
    public void Pairs_ShareTheTokens_AndTakeNoGrams()
    {
        var survey = new TextSurvey();
        survey.Add(Text(100), Text(50));
        Assert.Equal(152, survey.MaximumTokens);
        Assert.Equal(150, survey.Words);
        Assert.False(survey.CharacterGrams);
    }

    [Fact]
    public void SingleTexts_TakeGrams_UnlessTheWordsAreTooMany()
    {
        var survey = new TextSurvey();
        survey.Add(Text(100));
        Assert.True(survey.CharacterGrams);
        var large = Text(100_000);
        while (survey.Words <= TextSurvey.MostWordsForGrams)
            survey.Add(large);
        Assert.False(survey.CharacterGrams);
    }

    [Fact]
    public void NoRows_GiveTheFewestTokens() => Assert.Equal(TextSurvey.FewestTokens, new TextSurvey().MaximumTokens);

    private static string Text(int words) => string.Join(' ', Enumerable.Repeat("w", words));
}
