using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Tests.Generation;

public sealed class GeneratorTests
{
    private const int End = 0;
    private static readonly int[][] Prompts = [[3], [1, 2, 4], [5, 5], [2, 3, 4, 5, 1]];
    private static readonly GenerationOptions Greedy = new() { MaximumNewTokens = 12, EndTokens = [End] };

    [Fact]
    public void Greedy_takes_the_most_probable_token_until_an_end_token_or_the_limit()
    {
        var model = new TableModel(7);

        var results = new Generator(model, Greedy).Generate(Prompts);

        for (var p = 0; p < Prompts.Length; p++)
        {
            var (tokens, sum) = (Prompts[p].ToList(), 0.0);
            do
            {
                var logs = model.LogProbabilities(tokens);
                sum += logs.Max();
                tokens.Add(Array.IndexOf(logs, logs.Max()));
            }
            while (tokens[^1] != End && tokens.Count - Prompts[p].Length < 12);
            var result = Assert.Single(results[p]);
            Assert.Equal(tokens.Skip(Prompts[p].Length), result.Tokens);
            Assert.Equal(sum, result.LogProbability, 1e-4);
            Assert.Equal(tokens[^1] == End ? GenerationEnd.EndToken : GenerationEnd.Length, result.End);
            Assert.Null(result.Text);
        }

        Assert.Equal(1, model.Disposed);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(3, false)]
    [InlineData(3, true)]
    public void A_prompt_gets_the_same_answers_alone_and_among_others(int beams, bool sample)
    {
        var model = new TableModel(9, 4);
        var answers = sample || beams > 1 ? 2 : 1;
        var generator = new Generator(model, Greedy with { Beams = beams, Sample = sample, Seed = 3, SequencesPerPrompt = answers });

        var together = generator.Generate(Prompts, firstNumber: 10);

        for (var p = 0; p < Prompts.Length; p++)
        {
            var alone = generator.Generate([Prompts[p]], firstNumber: 10 + p)[0];
            Assert.Equal(alone.Select(a => a.Tokens), together[p].Select(t => t.Tokens));
            Assert.Equal(alone.Select(a => a.LogProbability), together[p].Select(t => t.LogProbability));
        }
    }

    [Fact]
    public void No_pass_is_made_after_the_last_token()
    {
        var model = new TableModel(5);

        new Generator(model, new GenerationOptions { MaximumNewTokens = 4 }).Generate([[1], [2]]);

        Assert.Equal(4, model.Passes);
    }

    [Fact]
    public void Maximum_length_counts_the_prompt_and_minimum_length_too()
    {
        var model = new TableModel(5) { Added = [5f, 0f, 0f, 0f, 0f] };
        var options = new GenerationOptions { MaximumNewTokens = null, MaximumLength = 8, MinimumLength = 6, EndTokens = [End] };

        var results = new Generator(model, options).Generate([[1], [1, 2, 3, 4], [1, 2, 3, 4, 1, 2, 3]]);

        Assert.Equal([6, 3, 1], results.Select(r => r[0].Tokens.Length));
        Assert.All(results, r => Assert.Equal(End, r[0].Tokens[^1]));
        Assert.Equal(5, new Generator(model, options with { MaximumNewTokens = 5, EndTokens = [] }).Generate([[1, 2, 3]])[0][0].Tokens.Length);
    }

    [Fact]
    public void The_model_limits_an_answer()
    {
        var model = new TableModel(5) { MaximumTokens = 6 };

        Assert.Equal([5, 1], new Generator(model, new GenerationOptions()).Generate([[1], [1, 2, 3, 4, 1]]).Select(r => r[0].Tokens.Length));

        var error = Assert.Throws<ArgumentException>(() => new Generator(model, new GenerationOptions()).Generate([[1], [1, 2, 3, 4, 1, 2]]));
        Assert.Contains("Prompt 1 has 6 tokens", error.Message);
    }

    [Fact]
    public void A_decoders_context_is_its_start_token()
    {
        var model = new TableModel(6, 2) { StartToken = 0 };
        var options = new GenerationOptions { MaximumNewTokens = null, MaximumLength = 5 };

        var results = new Generator(model, options).Generate([[1, 2, 3, 4, 5, 1, 2], [3]]);

        Assert.All(results, r => Assert.Equal(4, r[0].Tokens.Length));
        Assert.NotEqual(results[0][0].Tokens, results[1][0].Tokens);
    }

    [Fact]
    public void Sampling_draws_by_the_probabilities()
    {
        const int Draws = 20_000;
        var model = new TableModel(8, 5) { Spread = 1.5f };
        var options = new GenerationOptions { MaximumNewTokens = 1, Sample = true, TopK = 0, Seed = 11, SequencesPerPrompt = 100 };
        var counts = new int[8];

        for (var i = 0; i < Draws / 100; i++)
            foreach (var answer in new Generator(model, options).Generate([[2, 3]], firstNumber: i)[0])
                counts[answer.Tokens[0]]++;

        var expected = model.LogProbabilities([2, 3]).Select(l => Math.Exp(l) * Draws).ToArray();
        var chiSquare = counts.Zip(expected, (n, e) => (n - e) * (n - e) / e).Sum();
        Assert.InRange(chiSquare, 0.5, 24.3); // 0.1 % of a χ² with 7 degrees of freedom lies above
    }

    [Fact]
    public void Sampling_depends_on_the_seed_and_the_number_of_the_prompt_alone()
    {
        var model = new TableModel(50, 6);
        var options = new GenerationOptions { MaximumNewTokens = 20, Sample = true, Seed = 1, SequencesPerPrompt = 2 };

        var answers = new Generator(model, options).Generate([[1], [1]]);

        Assert.Equal(4, answers.SelectMany(a => a).Select(a => string.Join(' ', a.Tokens)).Distinct().Count());
        Assert.Equal(answers[1][1].Tokens, new Generator(model, options).Generate([[1]], firstNumber: 1)[0][1].Tokens);
        Assert.NotEqual(answers[0][0].Tokens, new Generator(model, options with { Seed = 2 }).Generate([[1]])[0][0].Tokens);
        Assert.Equal(
            new Generator(model, options with { Seed = null }).Generate([[1]])[0][0].Tokens,
            new Generator(model, options with { Seed = 0 }).Generate([[1]])[0][0].Tokens);
    }

    [Fact]
    public void Cancellation_ends_it_between_tokens_and_disposes_the_sequences()
    {
        var model = new TableModel(5);
        using var stop = new CancellationTokenSource();
        var pieces = new List<GeneratedPiece>();

        Assert.Throws<OperationCanceledException>(() => new Generator(model, new GenerationOptions()).Generate(
            [[1]],
            pieceMade: piece =>
            {
                pieces.Add(piece);
                if (pieces.Count == 3)
                    stop.Cancel();
            },
            stop: stop.Token));

        Assert.Equal(3, pieces.Count);
        Assert.Equal(1, model.Disposed);
    }

    [Fact]
    public async Task Streaming_gives_every_token_in_order_and_the_end()
    {
        var generator = new Generator(new TableModel(7), Greedy);
        var pieces = new List<GeneratedPiece>();

        await foreach (var piece in generator.StreamAsync(Prompts))
            pieces.Add(piece);

        var results = generator.Generate(Prompts);
        for (var p = 0; p < Prompts.Length; p++)
        {
            var own = pieces.Where(piece => piece.Prompt == p).ToList();
            Assert.Equal(results[p][0].Tokens, own.SelectMany(piece => piece.Tokens));
            Assert.Equal(results[p][0].End, own[^1].End);
            Assert.All(own.SkipLast(1), piece => Assert.Null(piece.End));
        }
    }

    [Fact]
    public async Task Who_stops_listening_stops_the_work()
    {
        var model = new TableModel(7);
        await foreach (var piece in new Generator(model, new GenerationOptions { MaximumNewTokens = 1_000_000 }).StreamAsync([[1]]))
            break;

        Assert.Equal(1, model.Disposed);
    }

    [Fact]
    public async Task A_stream_waits_for_its_reader()
    {
        var model = new TableModel(7);
        var taken = 0;
        await foreach (var piece in new Generator(model, new GenerationOptions { MaximumNewTokens = 5_000 }).StreamAsync([[1]]))
        {
            taken += piece.Tokens.Count;
            await Task.Yield();
            Assert.InRange(model.Passes, taken, taken + 300);
        }

        Assert.Equal(5_000, taken);
    }

    [Fact]
    public async Task A_cancelled_stream_gives_what_was_made_and_then_tells()
    {
        using var stop = new CancellationTokenSource();
        var pieces = 0;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var piece in new Generator(new TableModel(7), new GenerationOptions { MaximumNewTokens = 1_000_000 })
                .StreamAsync([[1]], stop: stop.Token))
            {
                if (++pieces == 5)
                    await stop.CancelAsync();
            }
        });

        Assert.InRange(pieces, 5, 1_000_000);
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        var model = new TableModel(3);
        Assert.Throws<ArgumentException>(() => new Generator(model, new GenerationOptions { SequencesPerPrompt = 2 }));
        Assert.Throws<ArgumentException>(() => new Generator(model, new GenerationOptions { SequencesPerPrompt = 4, Beams = 3 }));
        Assert.Throws<ArgumentException>(() => new Generator(model, new GenerationOptions { StopStrings = ["x"] }));
        Assert.Throws<ArgumentException>(() => new Generator(model, new GenerationOptions()).Generate([[1], []]));
        Assert.Throws<ArgumentException>(() => new Generator(model, new GenerationOptions { MaximumNewTokens = null }).Generate([[1]]));
        Assert.Empty(new Generator(model, new GenerationOptions()).Generate([]));
        foreach (var beams in new[] { 1, 2 })
        {
            var nothing = new GenerationOptions { SuppressedTokens = [0, 1, 2], Beams = beams };
            Assert.Contains("prompt 0", Assert.Throws<InvalidOperationException>(() => new Generator(model, nothing).Generate([[1]])).Message);
            var broken = new TableModel(3) { Added = [float.NaN, 0f, 0f] };
            Assert.Throws<InvalidOperationException>(() =>
                new Generator(broken, new GenerationOptions { Beams = beams }).Generate([[1]]));
        }
    }
}
