using System.Text;
using System.Text.Json;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Tests.Training;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary><c>config.json</c> of all published architectures.</summary>
internal sealed class ConfigTarget : FuzzTarget
{
    private const string File = "config.json";

    public override string Name => "config";

    public override void Read(FuzzInput input)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(input.Single);
        }
        catch (JsonException e)
        {
            // what the reader of the file says, without the file
            throw new InvalidDataException(File, e);
        }

        using (document)
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                _ = PublishedArchitectures.Read(new PublishedSettings(document.RootElement, File));
    }

    protected override IEnumerable<FuzzInput> CreateSeeds() =>
        new[] { TinyPublished.Bert, TinyPublished.NomicMixture, TinyPublished.GatedNomic, TinyCausal.Olmoe, TinyCausal.Llama,
            TinyGenerators.Switch, TinyGenerators.T5 }
            .Concat(TinyCausalFamilies.All.Select(kind => TinyCausalFamilies.Config(kind)))
            .Concat(new[] { "distilbert", "roberta", "mpnet", "gpt2" }.Select(kind => TinyPublished.Bert.With(("model_type", kind))))
            .Append(TinyCausalFamilies.Config("llama", ("rope_scaling", new { rope_type = "llama3", factor = 8.0, low_freq_factor = 1.0,
                high_freq_factor = 4.0, original_max_position_embeddings = 16 })))
            .Append(TinyCausalFamilies.Config("gpt_oss", ("rope_scaling", new { rope_type = "yarn", factor = 4.0, beta_fast = 32,
                beta_slow = 1, original_max_position_embeddings = 8 })))
            .Append(TinyCausalFamilies.Config("phimoe", ("rope_scaling", new { type = "longrope", short_factor = new[] { 1.0, 1.0 },
                long_factor = new[] { 2.0, 2.0 }, short_mscale = 1.0, long_mscale = 1.2, original_max_position_embeddings = 8 })))
            .Select(json => new FuzzInput(new FuzzFile(File, Encoding.UTF8.GetBytes(json))));
}

/// <summary>A whole folder of a model that writes, loaded.</summary>
internal sealed class PublishedTarget : FuzzTarget
{
    public override string Name => "published";

    public override bool IsDocumented(Exception exception) =>
        exception is InvalidDataException or FileNotFoundException || TokenizerFilesTarget.IsOfUnknownWords(exception)
        || (exception is InvalidOperationException && exception.Message.Contains("memory", StringComparison.Ordinal));

    public override long MostAllocated(long length) => (16L << 20) + 256 * length;

    public override void Read(FuzzInput input)
    {
        using var engine = new ManagedEngine(1);
        _ = TextGenerator.Load(engine, Place.Fill(input), WeightPrecision.Float32, "model").Generator.Encode("ab c");
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        foreach (var config in new[] { TinyCausal.Llama, TinyCausal.Olmoe, TinyCausal.Switch })
        {
            Place.Empty();
            TinyCausal.Write(Place.Path, config.With(("num_hidden_layers", 1)),
                generation: """{ "max_new_tokens": 4, "eos_token_id": [1], "do_sample": false }""");
            yield return FuzzInput.OfFolder(Place.Path);
        }
    }
}

/// <summary>A folder as sentence-transformers saves it, loaded.</summary>
internal sealed class SentenceFolderTarget : FuzzTarget
{
    public override string Name => "sentence-folder";

    /// <summary>Also a text whose tokens are not the encoder's, which is seen when it is read.</summary>
    public override bool IsDocumented(Exception exception) => exception is InvalidDataException or FileNotFoundException
        || TokenizerFilesTarget.IsOfUnknownWords(exception)
        || (exception is InvalidOperationException && exception.Message.StartsWith("The tokenizer gave id", StringComparison.Ordinal));

    public override long MostAllocated(long length) => (16L << 20) + 256 * length;

    public override void Read(FuzzInput input)
    {
        using var engine = new ManagedEngine(1);
        _ = TextEmbedder.Load(engine, Place.Fill(input)).Encode("a bc");
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        foreach (var config in new[] { TinyPublished.Bert, TinyPublished.NomicMixture })
        {
            Place.Empty();
            TinyPublished.Write(Place.Path, config);
            TinyPublished.WriteTokenizer(Place.Path);
            var folder = FuzzInput.OfFolder(Place.Path);
            yield return folder;
            yield return new FuzzInput(
            [
                .. folder.Files, Of("config_sentence_transformers.json",
                    """{ "prompts": { "query": "find " }, "default_prompt_name": "query", "similarity_fn_name": "cosine" }"""),
                Of("sentence_bert_config.json", """{ "max_seq_length": 12, "do_lower_case": false }"""),
                Of("modules.json", """
                    [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                     {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                     {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
                    """),
                Of("1_Pooling/config.json",
                    """{ "word_embedding_dimension": 16, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true }"""),
            ]);
        }

        static FuzzFile Of(string name, string text) => new(name, Encoding.UTF8.GetBytes(text));
    }
}

/// <summary><c>generation_config.json</c>.</summary>
internal sealed class GenerationTarget : FuzzTarget
{
    public override string Name => "generation";

    public override void Read(FuzzInput input)
    {
        var files = input.ToDictionary();
        _ = GenerationConfigFile.Read(files.GetValueOrDefault("generation_config.json"), files.GetValueOrDefault("config.json"));
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        yield return new FuzzInput(
            new FuzzFile("config.json", Encoding.UTF8.GetBytes(TinyCausal.Llama)),
            new FuzzFile("generation_config.json", """
                {"max_new_tokens": 12, "min_length": 1, "do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.9, "min_p": 0.01,
                  "typical_p": 0.9, "epsilon_cutoff": 0.0,
                 "repetition_penalty": 1.1, "no_repeat_ngram_size": 2, "num_beams": 3, "num_beam_groups": 1, "length_penalty": 1.5,
                   "early_stopping": "never",
                 "eos_token_id": [1, 2], "bos_token_id": 2, "pad_token_id": 0, "bad_words_ids": [[3], [4, 5]], "suppress_tokens": [6],
                   "forced_bos_token_id": null}
                """u8.ToArray()));
        yield return new FuzzInput(
            new FuzzFile("config.json",
                """{"is_encoder_decoder": true, "decoder_start_token_id": 0, "max_length": 20, "num_beams": 2}"""u8.ToArray()),
            new FuzzFile("generation_config.json", "{}"u8.ToArray()));
    }
}

/// <summary>A chat template, which then writes a conversation.</summary>
internal sealed class ChatTarget : FuzzTarget
{
    private static readonly ChatTurn[] Turns =
    [
        new(ChatTurn.System, "Be brief."), new(ChatTurn.User, "Where to?"), new(ChatTurn.Assistant, "To the sea."),
        new(ChatTurn.User, "And then?"),
    ];

    private static readonly string[] Templates =
    [
        "{% for message in messages %}"
            + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
            + "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + "
            + "message['content'] | trim + '<|eot_id|>' %}{% if loop.first %}{% set content = bos_token + content %}{% endif %}"
            + "{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"
            + "{% endif %}",
        "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
            + "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ message['content'] + eos_token }}"
            + "{% endif %}{% endfor %}",
    ];

    public override string Name => "chat-template";

    public override void Read(FuzzInput input)
    {
        var template = ChatTemplateFile.Read(input.ToDictionary(), "the folder");
        try
        {
            _ = template.Format(Turns);
        }
        catch (ArgumentException)
        {
            // a family whose conversations have no system
        }
    }

    protected override IEnumerable<FuzzInput> CreateSeeds()
    {
        foreach (var template in Templates)
        {
            var config = new FuzzFile("tokenizer_config.json", JsonSerializer.SerializeToUtf8Bytes(new { bos_token = "<s>",
                eos_token = new { content = "</s>" }, chat_template = template }));
            yield return new FuzzInput(config);
            yield return new FuzzInput(config, new FuzzFile("chat_template.jinja", Encoding.UTF8.GetBytes(template)));
        }
    }
}
