namespace Microsoft.ML.Moe.Models.Published;

/// <summary>The architectures that are read here, by what <c>config.json</c> calls them.</summary>
internal static class PublishedArchitectures
{
    private static readonly Dictionary<string, Func<PublishedSettings, PublishedConfig>> Readers = new()
    {
        ["bert"] = BertConfig.Read,
        ["distilbert"] = DistilBertConfig.Read,
        ["roberta"] = RobertaConfig.Read,
        ["xlm-roberta"] = RobertaConfig.Read,
        ["mpnet"] = MpnetConfig.Read,
        ["nomic_bert"] = NomicBertConfig.Read,
    };

    private static readonly Dictionary<string, Func<PublishedSettings, PublishedConfig>> CausalReaders = new()
    {
        ["gpt2"] = Gpt2Config.Read,
        ["gpt_neox"] = GptNeoXConfig.Read,
        ["llama"] = LlamaConfig.Read,
        ["qwen2"] = QwenConfig.ReadSecond,
        ["qwen3"] = QwenConfig.ReadThird,
        ["qwen2_moe"] = QwenMoeConfig.ReadSecond,
        ["qwen3_moe"] = QwenMoeConfig.ReadThird,
        ["olmoe"] = OlmoeConfig.Read,
        ["flex_olmo"] = FlexOlmoConfig.Read,
        ["mixtral"] = MixtralConfig.Read,
        ["granitemoe"] = GraniteMoeConfig.Read,
        ["granitemoeshared"] = GraniteMoeConfig.Read,
        ["hunyuan_v1_moe"] = HunyuanMoeConfig.Read,
        ["ernie4_5_moe"] = ErnieMoeConfig.Read,
        ["glm4_moe"] = GlmMoeConfig.Read,
        ["deepseek"] = DeepSeekConfig.Read,
        ["deepseek_v2"] = DeepSeekV2Config.Read,
        ["deepseek_v3"] = DeepSeekV3Config.Read,
        ["phimoe"] = PhiMoeConfig.Read,
        ["jetmoe"] = JetMoeConfig.Read,
        ["gpt_oss"] = GptOssConfig.Read,
    };

    private static readonly Dictionary<string, Func<PublishedSettings, PublishedConfig>> EncoderDecoderReaders = new()
    {
        ["t5"] = T5Config.Read,
        ["mt5"] = T5Config.ReadMultilingual,
        ["switch_transformers"] = SwitchTransformersConfig.Read,
    };

    private static readonly Dictionary<string, Func<PublishedSettings, PublishedConfig>> VisionReaders = new()
    {
        ["vit"] = VitConfig.Read,
        ["deit"] = DeitConfig.Read,
        ["resnet"] = ResNetConfig.Read,
    };

    /// <summary>Whether a <c>model_type</c> is an encoder of texts that is known.</summary>
    public static bool Knows(string modelType) => Readers.ContainsKey(modelType);

    /// <summary>Whether a <c>model_type</c> is a causal model that is known.</summary>
    public static bool KnowsCausal(string modelType) => CausalReaders.ContainsKey(modelType);

    /// <summary>Whether a <c>model_type</c> is an encoder–decoder that is known.</summary>
    public static bool KnowsEncoderDecoder(string modelType) => EncoderDecoderReaders.ContainsKey(modelType);

    /// <summary>Whether a <c>model_type</c> is an encoder of images that is known.</summary>
    public static bool KnowsVision(string modelType) => VisionReaders.ContainsKey(modelType);

    /// <summary>The encoder that a <c>config.json</c> describes.</summary>
    /// <exception cref="InvalidDataException">
    /// The architecture or one of its settings is not known here, a value is impossible, or the weights are quantised.
    /// </exception>
    public static PublishedConfig Read(PublishedSettings json)
    {
        var modelType = json.Text("model_type", "");
        if (!Readers.TryGetValue(modelType, out var read)
            && !CausalReaders.TryGetValue(modelType, out read)
            && !EncoderDecoderReaders.TryGetValue(modelType, out read)
            && !VisionReaders.TryGetValue(modelType, out read))
        {
            throw json.Refused($"model_type '{modelType}' is none of the models that are known here: "
                + string.Join(", ", Readers.Keys.Concat(CausalReaders.Keys).Concat(EncoderDecoderReaders.Keys).Concat(VisionReaders.Keys)));
        }

        if (json.Has("quantization_config"))
            throw json.Refused("its weights are quantised (quantization_config); take the model's original weights");
        try
        {
            var config = read(json);
            config.Check();
            return config;
        }
        catch (Exception e) when (e is ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"{json.File} holds an impossible value: {e.Message}", e);
        }
    }
}
