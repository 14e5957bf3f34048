using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Texts of which some tokens are to be guessed. Filled again and again in the same memory.</summary>
internal sealed class MaskedTexts
{
    private readonly List<EncodedText> _texts = [];
    private readonly List<TokenFeatures> _tokens = [];
    private readonly List<int> _starts = [];
    private readonly List<(int Text, int Position, int Target)> _guesses = [];
    private readonly List<int> _targets = [];
    private readonly List<int> _rows = [];

    /// <summary>The texts before tokens were masked.</summary>
    public IReadOnlyList<EncodedText> Texts => _texts;

    /// <summary>Tokens to guess, ascending: number of the text, position in it, and number in the vocabulary.</summary>
    public IReadOnlyList<(int Text, int Position, int Target)> Guesses => _guesses;

    /// <summary>Numbers in the vocabulary of the tokens to guess.</summary>
    public ReadOnlySpan<int> Targets => CollectionsMarshal.AsSpan(_targets);

    /// <summary>A text's tokens as the model sees them.</summary>
    public Span<TokenFeatures> TokensOf(int text) =>
        CollectionsMarshal.AsSpan(_tokens).Slice(_starts[text], _texts[text].Length);

    /// <summary>The tokens to guess as rows of the packed texts.</summary>
    /// <param name="layout">Of the texts, packed.</param>
    public ReadOnlySpan<int> RowsIn(SequenceLayout layout)
    {
        _rows.Clear();
        foreach (var (text, position, _) in _guesses)
            _rows.Add(layout.Offsets[text] + position);
        return CollectionsMarshal.AsSpan(_rows);
    }

    /// <summary>Takes other texts, of which no token is masked.</summary>
    public void Begin(IReadOnlyList<EncodedText> texts)
    {
        _texts.Clear();
        _tokens.Clear();
        _starts.Clear();
        _guesses.Clear();
        _targets.Clear();
        for (var i = 0; i < texts.Count; i++)
        {
            _texts.Add(texts[i]);
            _starts.Add(_tokens.Count);
            _tokens.AddRange(texts[i].Tokens.AsSpan());
        }
    }

    /// <summary>Adds a token to guess.</summary>
    public void Add(int text, int position, int target)
    {
        _guesses.Add((text, position, target));
        _targets.Add(target);
    }
}
