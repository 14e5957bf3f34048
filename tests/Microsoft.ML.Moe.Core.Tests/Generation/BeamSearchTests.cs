using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Tests.Generation;

public sealed class BeamSearchTests
{
    private const int End = 0;

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    [InlineData(2f)]
    [InlineData(-1f)]
    public void With_beams_for_all_sequences_the_best_of_all_is_found(float penalty)
    {
        // 3 + 9 + 27 beginnings that do not end, and every one of them is a beam
        foreach (var seed in Enumerable.Range(0, 10))
        {
            var model = new TableModel(4, seed);
            var options = new GenerationOptions
            {
                MaximumNewTokens = 4,
                EndTokens = [End],
                Beams = 40,
                SequencesPerPrompt = 5,
                LengthPenalty = penalty,
                EarlyStopping = EarlyStopping.WhenUnableToImprove,
            };

            var found = new Generator(model, options).Generate([[1, 2]])[0];

            var all = All(model, [1, 2], 2, 4).Select(s => (s.Tokens, Score: s.Sum / Math.Pow(s.Tokens.Length, penalty)))
                .OrderByDescending(s => s.Score).Take(5).ToList();
            Assert.Equal(all.Select(s => string.Join(' ', s.Tokens)), found.Select(f => string.Join(' ', f.Tokens)));
            Assert.All(all.Zip(found), pair => Assert.Equal(pair.First.Score, pair.Second.Score, 1e-4));
            Assert.All(found, f => Assert.Equal(f.Tokens[^1] == End ? GenerationEnd.EndToken : GenerationEnd.Length, f.End));
        }
    }

    [Fact]
    public void Two_beams_find_what_a_greedy_choice_misses()
    {
        var better = 0;
        foreach (var seed in Enumerable.Range(0, 20))
        {
            var model = new TableModel(6, seed);
            var options = new GenerationOptions { MaximumNewTokens = 6 };

            var greedy = new Generator(model, options).Generate([[1]])[0][0];
            var beams = new Generator(model, options with { Beams = 4 }).Generate([[1]])[0][0];

            Assert.Equal(beams.LogProbability / 6, beams.Score, 1e-5);
            if (beams.LogProbability > greedy.LogProbability + 1e-6)
                better++;
        }

        Assert.InRange(better, 5, 20);
    }

    [Fact]
    public void The_score_counts_changed_probabilities_and_the_log_probability_the_models()
    {
        var model = new TableModel(6, 3);
        var options = new GenerationOptions { MaximumNewTokens = 8, Beams = 3, RepetitionPenalty = 1.5f };

        var answer = new Generator(model, options).Generate([[1, 2]])[0][0];

        var (tokens, sum) = (new List<int> { 1, 2 }, 0.0);
        foreach (var token in answer.Tokens)
        {
            sum += model.LogProbabilities(tokens)[token];
            tokens.Add(token);
        }

        Assert.Equal(sum, answer.LogProbability, 1e-4);
        Assert.True(answer.Score < sum / 8 - 1e-3);
    }

    [Fact]
    public void Early_stopping_takes_the_first_finished_answers()
    {
        var (longer, passes) = (0, (Early: 0, Late: 0));
        foreach (var seed in Enumerable.Range(0, 30))
        {
            var options = new GenerationOptions { MaximumNewTokens = 10, EndTokens = [End], Beams = 2, LengthPenalty = 2f };
            var early = new TableModel(5, seed);
            var late = new TableModel(5, seed);
            var first = new Generator(early, options with { EarlyStopping = EarlyStopping.WhenComplete }).Generate([[1]])[0][0];
            var best = new Generator(late, options with { EarlyStopping = EarlyStopping.WhenUnableToImprove }).Generate([[1]])[0][0];
            Assert.True(best.Score >= first.Score - 1e-9);
            Assert.True(late.Passes >= early.Passes);
            passes = (passes.Early + early.Passes, passes.Late + late.Passes);
            longer += best.Tokens.Length > first.Tokens.Length ? 1 : 0;
        }

        Assert.True(longer > 0);
        Assert.True(passes.Late > passes.Early);
    }

    [Fact]
    public void Sampled_beams_are_drawn_without_putting_back()
    {
        // of one step and as many beams as tokens, every token is drawn; of two, pairs come as often as drawing one after the other gives
        // them
        const int Draws = 8000;
        var model = new TableModel(4, 8) { Spread = 1f };
        var options = new GenerationOptions { MaximumNewTokens = 1, Beams = 2, SequencesPerPrompt = 2, Sample = true, TopK = 0, LengthPenalty = 0f };
        var p = model.LogProbabilities([1]).Select(Math.Exp).ToArray();
        var counts = new Dictionary<(int, int), int>();

        for (var i = 0; i < Draws; i++)
        {
            int[] pair = [.. new Generator(model, options).Generate([[1]], firstNumber: i)[0].Select(a => a.Tokens[0]).Order()];
            counts[(pair[0], pair[1])] = counts.GetValueOrDefault((pair[0], pair[1])) + 1;
        }

        var chiSquare = 0.0;
        for (var a = 0; a < 4; a++)
        {
            for (var b = a + 1; b < 4; b++)
            {
                var expected = Draws * (p[a] * p[b] / (1 - p[a]) + p[b] * p[a] / (1 - p[b]));
                var difference = counts.GetValueOrDefault((a, b)) - expected;
                chiSquare += difference * difference / expected;
            }
        }

        Assert.InRange(chiSquare, 0.1, 20.5); // 0.1 % of a χ² with 5 degrees of freedom lies above
    }

    /// <summary>All sequences that end with the end token or have the greatest length.</summary>
    private static IEnumerable<(int[] Tokens, double Sum)> All(TableModel model, List<int> tokens, int context, int room)
    {
        var logs = model.LogProbabilities(tokens);
        for (var token = 0; token < logs.Length; token++)
        {
            List<int> longer = [.. tokens, token];
            if (token == End || longer.Count - context == room)
                yield return ([.. longer.Skip(context)], logs[token]);
            else
                foreach (var (rest, sum) in All(model, longer, context, room))
                    yield return (rest, logs[token] + sum);
        }
    }
}
