using System.Text;
using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Tests.Generation;

public sealed class GenerationOptionsTests
{
    [Fact]
    public void Without_files_the_defaults_hold()
    {
        var options = GenerationConfigFile.Read(null, null);

        Assert.Equal((256, null), (options.MaximumNewTokens, options.MaximumLength));
        Assert.Equal((1, 1f, EarlyStopping.WhenUnlikelyToImprove), (options.Beams, options.LengthPenalty, options.EarlyStopping));
        Assert.Equal((false, 1f, 50, 1f), (options.Sample, options.Temperature, options.TopK, options.TopP));
        Assert.Equal((0, 0), (options.MinimumLength, options.NoRepeatNGramSize));

        var decoder = GenerationConfigFile.Read(null, Json("""{ "is_encoder_decoder": true }"""));
        Assert.Equal((null, 20), (decoder.MaximumNewTokens, decoder.MaximumLength));
    }

    [Fact]
    public void All_that_is_known_is_read()
    {
        var options = GenerationConfigFile.Read(
            Json("""
            {
              "_from_model_config": true, "transformers_version": "4.57.6", "bos_token_id": 1, "pad_token_id": 0, "use_cache": true,
              "max_new_tokens": 30, "max_length": 99, "min_length": 3, "min_new_tokens": 2, "eos_token_id": [2, 7, -1], "stop_strings": "END",
              "num_return_sequences": 2, "num_beams": 4, "length_penalty": 0.6, "early_stopping": "never", "do_sample": true,
              "temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.8, "epsilon_cutoff": 0.001, "eta_cutoff": 0.002,
              "repetition_penalty": 1.3, "no_repeat_ngram_size": 3, "bad_words_ids": [[4], [5, 6]], "sequence_bias": [[[8], -2.5]],
              "suppress_tokens": [9], "begin_suppress_tokens": [10], "forced_bos_token_id": 11, "forced_eos_token_id": 2,
              "exponential_decay_length_penalty": [5, 1.1], "renormalize_logits": true, "remove_invalid_values": true,
              "num_beam_groups": 1, "diversity_penalty": 0.0, "encoder_no_repeat_ngram_size": 0, "guidance_scale": null, "top_h": null
            }
            """),
            null);

        Assert.Equal((30, 99, 2, 3), (options.MaximumNewTokens, options.MaximumLength, options.MinimumNewTokens, options.MinimumLength));
        Assert.Equal([2, 7], options.EndTokens);
        Assert.Equal(["END"], options.StopStrings);
        Assert.Equal((2, 4, 0.6f, EarlyStopping.WhenUnableToImprove),
            (options.SequencesPerPrompt, options.Beams, options.LengthPenalty, options.EarlyStopping));
        Assert.Equal((true, 0.7f, 5, 0.9f, 0.05f, 0.8f),
            (options.Sample, options.Temperature, options.TopK, options.TopP, options.MinP, options.TypicalP));
        Assert.Equal((0.001f, 0.002f, 1.3f, 3),
            (options.EpsilonCutoff, options.EtaCutoff, options.RepetitionPenalty, options.NoRepeatNGramSize));
        Assert.Equal([[4], [5, 6]], options.BannedSequences);
        Assert.Equal(-2.5f, Assert.Single(options.SequenceBiases).Bias);
        Assert.Equal([9], options.SuppressedTokens);
        Assert.Equal([10], options.SuppressedFirstTokens);
        Assert.Equal((11, 5, 1.1f), (options.ForcedFirstToken, options.LengthDecayStart, options.LengthDecayFactor));
        Assert.Equal([2], options.ForcedLastTokens);
        Assert.True(options.RenormalizeScores && options.RepairScores);
    }

    [Fact]
    public void The_models_own_file_fills_in_what_is_not_said()
    {
        var options = GenerationConfigFile.Read(
            Json("""{ "num_beams": 2, "eos_token_id": null }"""), Json("""{ "num_beams": 5, "max_length": 64, "eos_token_id": 3 }"""));

        Assert.Equal((2, null, 64), (options.Beams, options.MaximumNewTokens, options.MaximumLength));
        Assert.Equal([3], options.EndTokens);
    }

    [Theory]
    [InlineData("""{ "num_beam_groups": 2 }""", "num_beam_groups")]
    [InlineData("""{ "penalty_alpha": 0.6 }""", "penalty_alpha")]
    [InlineData("""{ "constraints": [{}] }""", "constraints")]
    [InlineData("""{ "watermarking_config": {} }""", "watermarking_config")]
    [InlineData("""{ "guidance_scale": 1.5 }""", "guidance_scale")]
    [InlineData("""{ "temperature": -1 }""", "Temperature")]
    [InlineData("""{ "top_k": -2 }""", "top_k")]
    [InlineData("""{ "top_p": 1.5 }""", "TopP")]
    [InlineData("""{ "early_stopping": "soon" }""", "early_stopping")]
    [InlineData("""{ "max_length": "long" }""", "max_length")]
    [InlineData("""{ "eos_token_id": [1, "x"] }""", "eos_token_id")]
    [InlineData("""{ "bad_words_ids": [[]] }""", "BannedSequences")]
    [InlineData("""{ "exponential_decay_length_penalty": [5] }""", "exponential_decay_length_penalty")]
    [InlineData("""[]""", "generation_config.json")]
    [InlineData("""{""", "generation_config.json")]
    public void What_is_damaged_or_not_supported_is_refused_by_name(string json, string name)
    {
        var error = Assert.Throws<InvalidDataException>(() => GenerationConfigFile.Read(Json(json), null));

        Assert.Contains(name, error.Message);
        Assert.Contains("generation_config.json", error.Message);
    }

    [Theory]
    [InlineData("""{ "temperature": 0 }""", false, 50)]
    [InlineData("""{ "do_sample": false, "temperature": 0.0, "top_k": -1 }""", false, 50)]
    [InlineData("""{ "do_sample": true, "temperature": 0, "top_k": 7 }""", false, 7)]
    [InlineData("""{ "do_sample": true, "top_k": -1 }""", true, 0)]
    [InlineData("""{ "do_sample": true, "top_k": 0 }""", true, 0)]
    public void What_stands_for_no_sampling_or_no_cut_is_read_so(string json, bool samples, int topK)
    {
        var options = GenerationConfigFile.Read(Json(json), null);
        Assert.Equal((samples, topK, 1f), (options.Sample, options.TopK, options.Temperature));
    }

    [Fact]
    public void A_folder_is_read()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, "config.json"), """{ "eos_token_id": 3 }""");
        Assert.Equal([3], GenerationOptions.Read(folder.Path).EndTokens);
        File.WriteAllText(Path.Combine(folder.Path, "generation_config.json"), """{ "eos_token_id": 4, "max_new_tokens": 7 }""");
        Assert.Equal([4], GenerationOptions.Read(folder.Path).EndTokens);
        Assert.Equal(7, GenerationOptions.Read(folder.Path).MaximumNewTokens);
        Assert.Throws<FileNotFoundException>(() => GenerationOptions.Read(Path.Combine(folder.Path, "none")));
    }

    [Fact]
    public void Options_are_equal_where_what_they_hold_is()
    {
        var options = new GenerationOptions { EndTokens = [1, 2], StopStrings = [], BannedSequences = [[3, 4]], SequenceBiases = [new([5], 1f)] };

        Assert.Equal(options, new GenerationOptions { EndTokens = [1, 2], BannedSequences = [[3, 4]], SequenceBiases = [new([5], 1f)] });
        Assert.NotEqual(options, options with { EndTokens = [1] });
        Assert.NotEqual(options, options with { BannedSequences = [[3]] });
        Assert.Equal(options.GetHashCode(), (options with { EndTokens = [1, 2] }).GetHashCode());
        Assert.Contains("EndTokens = [1, 2]", options.ToString());
    }

    [Fact]
    public void Options_are_checked_where_they_are_set()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { MaximumNewTokens = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { Temperature = 0f });
        Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { Temperature = float.NaN });
        Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { TypicalP = 0f });
        Assert.Throws<ArgumentOutOfRangeException>(() => new GenerationOptions { Beams = 0 });
        Assert.Throws<ArgumentException>(() => new GenerationOptions { EndTokens = [-1] });
        Assert.Throws<ArgumentException>(() => new GenerationOptions { StopStrings = [""] });
        Assert.Throws<ArgumentException>(() => new GenerationOptions { BannedSequences = [[]] });
        Assert.Throws<ArgumentException>(() => new GenerationOptions { SequenceBiases = [new SequenceBias([], 1f)] });
        Assert.Throws<ArgumentNullException>(() => new GenerationOptions { SequenceBiases = [null!] });
    }

    private static byte[] Json(string text) => Encoding.UTF8.GetBytes(text);
}
