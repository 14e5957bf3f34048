namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Reads the post-processor of tokenizer.json.</summary>
internal static class PostProcessorReader
{
    private const int MaximumParts = 1024;
    private const int MaximumTexts = 16;
    private const int MaximumTypeId = 1 << 20;

    /// <summary>Reads a post-processor; null for none.</summary>
    public static PostProcessor? Read(JsonPart part)
    {
        if (part.IsNull)
            return null;
        switch (part["type"].Text())
        {
            case "Sequence":
                return new SequencePostProcessor([.. part["processors"].Elements().Select(Read).OfType<PostProcessor>()]);
            case "TemplateProcessing":
                return new TemplateProcessing(ReadTemplate(part, part["single"], isPair: false), ReadTemplate(part, part["pair"],
                    isPair: true));
            case "BertProcessing":
                return new PairProcessing(ReadToken(part["cls"]), ReadToken(part["sep"]), isRoberta: false);
            case "RobertaProcessing":
                var pair = new PairProcessing(ReadToken(part["cls"]), ReadToken(part["sep"]), isRoberta: true);
                return part["trim_offsets"].Flag(true)
                    ? new SequencePostProcessor([new TrimOffsetsProcessing(part["add_prefix_space"].Flag(true)), pair])
                    : pair;
            case "ByteLevel":
                return part["trim_offsets"].Flag(true) ? new TrimOffsetsProcessing(part["add_prefix_space"].Flag(true)) : null;
            case var other:
                throw part.Fail($"is of type {other}, which is not supported");
        }
    }

    private static (string Token, int Id) ReadToken(JsonPart part)
    {
        var pair = part.IsArray && part.Count() == 2 ? part.Elements().ToArray() : throw part.Fail("is not a token and its id");
        return (pair[0].Text(), pair[1].Integer(0, SubwordModel.MaximumTokens - 1));
    }

    private static List<TemplatePart> ReadTemplate(JsonPart processor, JsonPart template, bool isPair)
    {
        var parts = new List<TemplatePart>();
        if (template.Count() > MaximumParts)
            throw template.Fail($"has {template.Count()} parts; {MaximumParts} are possible");
        foreach (var part in template.Elements())
        {
            var (sequence, special) = (part["Sequence"], part["SpecialToken"]);
            if (!sequence.IsNull)
                parts.Add(new TemplatePart(SequenceOf(sequence["id"], isPair), TypeOf(sequence), [], []));
            else
                parts.Add(ReadSpecial(processor["special_tokens"], special));
        }

        // each text of a template is one more copy of what an application encodes
        if (parts.Count(p => p.Sequence >= 0) is > MaximumTexts and var texts)
            throw template.Fail($"repeats its texts {texts} times; {MaximumTexts} are possible");
        if (parts.Sum(p => (long)p.Ids.Length) is > MaximumParts and var ids)
            throw template.Fail($"puts {ids} special tokens in; {MaximumParts} are possible");
        return isPair && !(parts.Exists(p => p.Sequence == 0) && parts.Exists(p => p.Sequence == 1))
            ? throw template.Fail("does not use both texts")
            : parts;
    }

    private static int SequenceOf(JsonPart id, bool isPair) => id.Text() switch
    {
        "A" => 0,
        "B" when isPair => 1,
        var other => throw id.Fail($"is {other}, which is not a text of the template"),
    };

    private static TemplatePart ReadSpecial(JsonPart specialTokens, JsonPart special)
    {
        var token = specialTokens[special["id"].Text()];
        if (token.IsNull)
            throw token.Fail("is missing, and the template uses it");
        int[] ids = [.. token["ids"].Elements().Select(id => id.Integer(0, SubwordModel.MaximumTokens - 1))];
        string[] texts = [.. token["tokens"].Elements().Select(text => text.Text())];
        return ids.Length == texts.Length && ids.Length <= MaximumParts
            ? new TemplatePart(-1, TypeOf(special), ids, texts)
            : throw token.Fail($"has {ids.Length} ids and {texts.Length} tokens");
    }

    private static int TypeOf(JsonPart part) => part["type_id"].Integer(0, MaximumTypeId);
}
