namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Reads the pre-tokenizer of tokenizer.json.</summary>
internal static class PreTokenizerReader
{
    /// <summary>Reads a pre-tokenizer; null for none.</summary>
    public static TextPreTokenizer? Read(JsonPart part)
    {
        if (part.IsNull)
            return null;
        switch (part["type"].Text())
        {
            case "Sequence":
                return new SequencePreTokenizer([.. part["pretokenizers"].Elements().Select(Read).OfType<TextPreTokenizer>()]);
            case "BertPreTokenizer":
                return new BertPreTokenizer();
            case "ByteLevel":
                return new ByteLevelPreTokenizer(part["add_prefix_space"].Flag(true), part["use_regex"].Flag(true));
            case "Split":
                return new SplitPreTokenizer(PatternReader.Read(part["pattern"]), BehaviorOf(part), part["invert"].Flag(false));
            case "Metaspace":
                var (mark, scheme) = ReadMetaspace(part);
                return new MetaspacePreTokenizer(mark, scheme, part["split"].Flag(true));
            case "Whitespace":
                return new WhitespacePreTokenizer();
            case "WhitespaceSplit":
                return new SplitPreTokenizer(new CodePointPattern(UnicodeSets.WhiteSpace), SplitBehavior.Removed);
            case "Digits":
                return new SplitPreTokenizer(
                    new CodePointPattern(UnicodeSets.Numeric),
                    part["individual_digits"].Flag(false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous);
            case "Punctuation":
                return new SplitPreTokenizer(new CodePointPattern(UnicodeSets.BertPunctuation), BehaviorOf(part));
            case "CharDelimiterSplit" or "Delimiter":
                return new SplitPreTokenizer(new LiteralPattern(part["delimiter"].Text()), SplitBehavior.Removed);
            case "FixedLength":
                return new FixedLengthPreTokenizer(part["length"].IsNull ? 5 : part["length"].Integer(1));
            case "UnicodeScripts":
                return new UnicodeScriptsPreTokenizer();
            case var other:
                throw part.Fail($"is of type {other}, which is not supported");
        }
    }

    /// <summary>Mark and scheme of a Metaspace, pre-tokenizer or decoder.</summary>
    public static (string Mark, PrependScheme Scheme) ReadMetaspace(JsonPart part)
    {
        var name = part["prepend_scheme"].TextOrNull();
        var scheme = name switch
        {
            null or "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw part["prepend_scheme"].Fail($"is {name}, which is not supported"),
        };
        if (!part["add_prefix_space"].Flag(true) && scheme != PrependScheme.Never)
            throw part["add_prefix_space"].Fail("is false, which needs the prepend_scheme never");
        var mark = part["replacement"].TextOrNull() ?? "▁";
        return mark.Length > 0 && CodePoints.Count(mark) == 1 ? (mark, scheme) : throw part["replacement"].Fail("is not one character");
    }

    private static SplitBehavior BehaviorOf(JsonPart part)
    {
        var name = part["behavior"].TextOrNull() ?? nameof(SplitBehavior.Isolated);
        return SplitBehavior.Find(name) ?? throw part["behavior"].Fail($"is {name}, which is not supported");
    }
}
