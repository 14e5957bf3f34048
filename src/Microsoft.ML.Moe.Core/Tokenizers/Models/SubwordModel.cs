using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>A token: [Start, End) in UTF-16 units of the normalized text.</summary>
/// <param name="Id">Id of the token.</param>
/// <param name="Start">Its first unit.</param>
/// <param name="End">The unit behind it.</param>
/// <param name="IsAdded">Whether it is an added token, which the model has not seen.</param>
internal readonly record struct PieceToken(int Id, int Start, int End, bool IsAdded = false);

/// <summary>Turns pieces into tokens. Safe to use from several threads.</summary>
internal abstract class SubwordModel
{
    /// <summary>Largest vocabulary.</summary>
    public const int MaximumTokens = 1 << 22;

    /// <summary>Longest token, in UTF-16 units.</summary>
    public const int MaximumTokenLength = 1 << 16;

    private readonly NumberedValues<string> _texts;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idsBySpan;

    /// <summary>Takes the vocabulary.</summary>
    /// <param name="ids">Ids of the tokens, each within [0, <see cref="MaximumTokens"/>).</param>
    protected SubwordModel(Dictionary<string, int> ids)
    {
        Ids = ids;
        _idsBySpan = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        Size = ids.Count == 0 ? 0 : ids.Values.Max() + 1;
        _texts = new NumberedValues<string>(Size, ids.Count, share: 2);
        foreach (var (text, id) in ids)
            _texts.Set(id, text);
    }

    /// <summary>Ids by token.</summary>
    public IReadOnlyDictionary<string, int> Vocabulary => Ids;

    /// <summary>One more than the largest id.</summary>
    public int Size { get; }

    /// <summary>Id of the unknown token; −1 without one.</summary>
    public virtual int Unknown => -1;

    /// <summary>Ids by token.</summary>
    protected Dictionary<string, int> Ids { get; }

    /// <summary>Adds the tokens of a piece.</summary>
    /// <param name="piece">The piece, not empty.</param>
    /// <param name="offset">Added to the tokens' places.</param>
    /// <param name="tokens">Where tokens go.</param>
    /// <exception cref="InvalidOperationException">The piece has unknown characters and the vocabulary no unknown token.</exception>
    public abstract void Tokenize(ReadOnlySpan<char> piece, int offset, List<PieceToken> tokens);

    /// <summary>What a token's text is where it stands for [Start, End) of the normalized text: its surface for some.</summary>
    public virtual string? TextOf(int id, ReadOnlySpan<char> surface) => TextOf(id);

    /// <summary>The token with an id; null for none.</summary>
    public string? TextOf(int id) => _texts[id];

    /// <summary>Id of a token.</summary>
    public bool TryGetId(ReadOnlySpan<char> text, out int id) => _idsBySpan.TryGetValue(text, out id);

    /// <summary>Ids of the tokens &lt;0x00&gt; to &lt;0xFF&gt;; −1 for one that is missing.</summary>
    protected int[] ByteTokens()
    {
        var tokens = new int[256];
        for (var b = 0; b < tokens.Length; b++)
            tokens[b] = Ids.GetValueOrDefault($"<0x{b:X2}>", -1);
        return tokens;
    }
}
