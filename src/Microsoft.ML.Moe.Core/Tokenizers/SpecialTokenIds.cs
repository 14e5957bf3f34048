namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Ids of the special tokens; −1 where there is none.</summary>
internal sealed record SpecialTokenIds(int Classification, int Separator, int Padding, int Unknown, int Mask, int Beginning, int End)
{
    /// <summary>Looks the tokens up by the names that the configuration gives, or else by the usual ones.</summary>
    public static SpecialTokenIds Find(TokenizerConfig config, TokenizerPipeline pipeline)
    {
        return new SpecialTokenIds(
            IdOf("cls_token", "[CLS]", "<s>"),
            IdOf("sep_token", "[SEP]", "</s>"),
            IdOf("pad_token", "[PAD]", "<pad>"),
            IdOf("unk_token") is >= 0 and var unknown ? unknown : pipeline.Model.Unknown,
            IdOf("mask_token", "[MASK]", "<mask>"),
            IdOf("bos_token"),
            IdOf("eos_token"));

        int IdOf(string name, params ReadOnlySpan<string> usual)
        {
            if (config.Token(name) is { } token)
                return pipeline.IdOf(token.Content);
            foreach (var content in usual)
                if (pipeline.IdOf(content) is >= 0 and var id)
                    return id;
            return -1;
        }
    }
}
