namespace ImageClassification.Tests;

public class DigitsTests
{
    [Fact]
    public void All_digits_are_there_and_a_fifth_of_each_is_for_testing()
    {
        var digits = Digits.Load(seed: 1);
        Assert.Equal(1797, digits.Train.Count + digits.Test.Count);
        Assert.All(digits.Train.Concat(digits.Test), d => Assert.Equal(64, d.Features.Length));
        Assert.All(digits.Train.Concat(digits.Test), d => Assert.All(d.Features, p => Assert.InRange(p, 0, 16)));
        Assert.Equal(Enumerable.Range(0, 10).Select(d => $"{d}"), digits.Test.Select(d => d.Label).Distinct().Order());
        foreach (var test in digits.Test.CountBy(d => d.Label))
            Assert.Equal((test.Value + digits.Train.Count(d => d.Label == test.Key)) / 5, test.Value);
    }

    [Fact]
    public void The_seed_decides_what_is_for_testing()
    {
        Assert.Equal(Digits.Load(seed: 1).Test.Select(d => d.Name), Digits.Load(seed: 1).Test.Select(d => d.Name));
        Assert.NotEqual(Digits.Load(seed: 1).Test.Select(d => d.Name), Digits.Load(seed: 2).Test.Select(d => d.Name));
    }

    [Fact]
    public void A_line_is_pixels_and_a_digit()
    {
        var line = string.Join(',', Enumerable.Repeat("0", 63)) + ",16,7";
        var digit = Digits.Read(new StringReader(line)).Single();
        Assert.Equal("7", digit.Label);
        Assert.Equal(16, digit.Features[63]);
        Assert.Equal("                @@", digit.Name.Split('\n')[7]);
        Assert.Equal("", digit.Name.Split('\n')[0].Trim());
    }
}
