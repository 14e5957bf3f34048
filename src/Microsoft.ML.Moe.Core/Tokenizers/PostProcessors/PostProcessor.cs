namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Puts special tokens around the texts of one or two encodings. Safe to use from several threads.</summary>
internal abstract class PostProcessor
{
    /// <summary>Number of tokens that are put in.</summary>
    public abstract int AddedTokens(bool isPair);

    /// <summary>Whether the texts of the tokens are needed.</summary>
    public virtual bool ReadsTokens => false;

    /// <summary>Changes the encodings, or puts others in their place.</summary>
    public abstract List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addsSpecialTokens);
}

/// <summary>Post-processors one after another.</summary>
internal sealed class SequencePostProcessor(IReadOnlyList<PostProcessor> processors) : PostProcessor
{
    public override bool ReadsTokens => processors.Any(p => p.ReadsTokens);

    public override int AddedTokens(bool isPair) => processors.Sum(p => p.AddedTokens(isPair));

    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addsSpecialTokens)
    {
        foreach (var processor in processors)
            encodings = processor.Process(encodings, addsSpecialTokens);
        return encodings;
    }
}

/// <summary>One part of a template: a text, or a special token.</summary>
/// <param name="Sequence">0 for the first text, 1 for the second, −1 for special tokens.</param>
/// <param name="TypeId">Segment of the tokens.</param>
/// <param name="Ids">Ids of the special tokens.</param>
/// <param name="Tokens">Texts of the special tokens.</param>
internal sealed record TemplatePart(int Sequence, int TypeId, int[] Ids, string[] Tokens);

/// <summary>Texts and special tokens as a template orders them.</summary>
internal sealed class TemplateProcessing(IReadOnlyList<TemplatePart> single, IReadOnlyList<TemplatePart> pair) : PostProcessor
{
    public override int AddedTokens(bool isPair) => (isPair ? pair : single).Sum(p => p.Ids.Length);

    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addsSpecialTokens)
    {
        var results = new List<TokenEncoding>();
        foreach (var part in encodings.Count > 1 ? pair : single)
        {
            if (part.Sequence >= 0)
            {
                var encoding = encodings[part.Sequence];
                encoding.SetTypes(part.TypeId);
                results.Add(results.Contains(encoding) ? encoding.Copy() : encoding);
            }
            else if (addsSpecialTokens)
            {
                results.Add(TokenEncoding.OfSpecial(part.Ids, part.Tokens, part.TypeId));
            }
        }

        return results;
    }
}

/// <summary>
/// <c>[CLS] A [SEP] B [SEP]</c> of BERT, or <c>&lt;s&gt; A &lt;/s&gt; &lt;/s&gt; B &lt;/s&gt;</c> of RoBERTa, whose segments are all 0.
/// </summary>
/// <param name="start">Token before the first text.</param>
/// <param name="end">Token behind each text.</param>
/// <param name="isRoberta">Whether it is RoBERTa's form.</param>
internal sealed class PairProcessing((string Token, int Id) start, (string Token, int Id) end, bool isRoberta) : PostProcessor
{
    public override int AddedTokens(bool isPair) => !isPair ? 2 : isRoberta ? 4 : 3;

    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addsSpecialTokens)
    {
        if (isRoberta)
            foreach (var encoding in encodings.SelectMany(e => e.Overflowing.Prepend(e)))
                encoding.SetTypes(0);
        if (!addsSpecialTokens)
            return encodings;
        var results = new List<TokenEncoding> { Special(start, 0), encodings[0], Special(end, 0) };
        if (encodings.Count > 1)
        {
            if (isRoberta)
                results.Add(Special(end, 0));
            results.Add(encodings[1]);
            results.Add(Special(end, isRoberta ? 0 : 1));
        }

        return results;
    }

    private static TokenEncoding Special((string Token, int Id) token, int typeId) =>
        TokenEncoding.OfSpecial([token.Id], [token.Token], typeId);
}

/// <summary>Offsets without the white space that byte-level tokens begin and end with (ByteLevel, RobertaProcessing).</summary>
/// <param name="addPrefixSpace">Whether one space at the beginning of the text was put there.</param>
internal sealed class TrimOffsetsProcessing(bool addPrefixSpace) : PostProcessor
{
    public override bool ReadsTokens => true;

    public override int AddedTokens(bool isPair) => 0;

    public override List<TokenEncoding> Process(List<TokenEncoding> encodings, bool addsSpecialTokens)
    {
        foreach (var encoding in encodings)
        {
            Trim(encoding);
            foreach (var part in encoding.Overflowing)
                Trim(part);
        }

        return encodings;
    }

    private static bool IsSpace(char unit) => unit == ByteLevelAlphabet.Space || UnicodeSets.WhiteSpace.Contains(unit);

    private void Trim(TokenEncoding encoding)
    {
        for (var i = 0; i < encoding.Length; i++)
        {
            var token = encoding.Tokens![i].AsSpan();
            var (leading, trailing) = (0, 0);
            while (leading < token.Length && IsSpace(token[leading]))
                leading++;
            while (trailing < token.Length && IsSpace(token[^(trailing + 1)]))
                trailing++;
            ref var offset = ref encoding.Offsets[i];
            if (leading == 1 && addPrefixSpace && (i == 0 || offset.Start == 0))
                leading = 0;
            // a space that was put there stands for a whole character, which may be a surrogate pair
            for (; leading > 0 && offset.Start < offset.End; leading--)
                offset.Start = Math.Min(offset.Start + UnitsAt(encoding.Source, offset.Start), offset.End);
            if (trailing > offset.End)
                continue;
            for (; trailing > 0 && offset.End > offset.Start; trailing--)
                offset.End = Math.Max(offset.End - UnitsAt(encoding.Source, offset.End - 2), offset.Start);
        }
    }

    /// <summary>2 where a surrogate pair begins.</summary>
    private static int UnitsAt(string text, int index) =>
        index >= 0 && index + 1 < text.Length && char.IsSurrogatePair(text[index], text[index + 1]) ? 2 : 1;
}
