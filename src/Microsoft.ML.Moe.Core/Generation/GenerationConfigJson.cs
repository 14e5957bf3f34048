using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Options of generation in the form of <c>generation_config.json</c>: what <see cref="GenerationConfigFile"/> reads.</summary>
internal static class GenerationConfigJson
{
    /// <summary>What a model's folder says of generation, its special tokens included.</summary>
    /// <param name="generator">The model's files and options.</param>
    /// <param name="config">The architecture.</param>
    public static JsonObject Of(TextGenerator generator, PublishedConfig config)
    {
        var json = Of(generator.Defaults);
        if (config is EncoderDecoderConfig decoder)
            json["decoder_start_token_id"] = decoder.StartId;
        else if (generator.StartToken is { } start)
            json["bos_token_id"] = start;
        json["pad_token_id"] = config.PaddingId;
        return json;
    }

    /// <summary>Options that are not the defaults here, and the lengths.</summary>
    public static JsonObject Of(GenerationOptions options)
    {
        var usual = new GenerationOptions();
        var json = new JsonObject();
        Set("max_length", options.MaximumLength, null);
        Set("max_new_tokens", options.MaximumNewTokens, null);
        Set("min_length", options.MinimumLength, usual.MinimumLength);
        Set("min_new_tokens", options.MinimumNewTokens, usual.MinimumNewTokens);
        SetIds("eos_token_id", options.EndTokens);
        if (options.StopStrings.Count > 0)
            json["stop_strings"] = new JsonArray([.. options.StopStrings.Select(text => (JsonNode)text)]);
        Set("num_return_sequences", options.SequencesPerPrompt, usual.SequencesPerPrompt);
        Set("num_beams", options.Beams, usual.Beams);
        Set("length_penalty", options.LengthPenalty, usual.LengthPenalty);
        if (options.EarlyStopping != usual.EarlyStopping)
            json["early_stopping"] = options.EarlyStopping == EarlyStopping.WhenComplete ? true : "never";
        Set("do_sample", options.Sample, usual.Sample);
        Set("temperature", options.Temperature, usual.Temperature);
        Set("top_k", options.TopK, usual.TopK);
        Set("top_p", options.TopP, usual.TopP);
        Set("min_p", options.MinP, usual.MinP);
        Set("typical_p", options.TypicalP, usual.TypicalP);
        Set("epsilon_cutoff", options.EpsilonCutoff, usual.EpsilonCutoff);
        Set("eta_cutoff", options.EtaCutoff, usual.EtaCutoff);
        Set("repetition_penalty", options.RepetitionPenalty, usual.RepetitionPenalty);
        Set("no_repeat_ngram_size", options.NoRepeatNGramSize, usual.NoRepeatNGramSize);
        if (options.BannedSequences.Count > 0)
            json["bad_words_ids"] = new JsonArray([.. options.BannedSequences.Select(run => (JsonNode)Ids(run))]);
        if (options.SequenceBiases.Count > 0)
            json["sequence_bias"] = new JsonArray([.. options.SequenceBiases.Select(b => (JsonNode)new JsonArray(Ids(b.Tokens), b.Bias))]);
        SetIds("suppress_tokens", options.SuppressedTokens);
        SetIds("begin_suppress_tokens", options.SuppressedFirstTokens);
        Set("forced_bos_token_id", options.ForcedFirstToken, null);
        SetIds("forced_eos_token_id", options.ForcedLastTokens);
        if (options.LengthDecayStart is { } start)
            json["exponential_decay_length_penalty"] = new JsonArray(start, options.LengthDecayFactor);
        Set("remove_invalid_values", options.RepairScores, usual.RepairScores);
        Set("renormalize_logits", options.RenormalizeScores, usual.RenormalizeScores);
        return json;

        void Set(string name, JsonNode? value, JsonNode? absent)
        {
            if (!JsonNode.DeepEquals(value, absent))
                json[name] = value;
        }

        void SetIds(string name, IReadOnlyList<int> ids)
        {
            if (ids.Count > 0)
                json[name] = ids.Count == 1 ? ids[0] : Ids(ids);
        }
    }

    private static JsonArray Ids(IEnumerable<int> ids) => [.. ids.Select(id => (JsonNode)id)];
}
