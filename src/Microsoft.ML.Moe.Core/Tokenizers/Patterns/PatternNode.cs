namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Part of a parsed regular expression.</summary>
internal abstract record PatternNode
{
    /// <summary>Nothing: matches everywhere.</summary>
    internal sealed record Empty : PatternNode;

    /// <summary>One code point of a set.</summary>
    internal sealed record One(CodePointSet Set) : PatternNode;

    /// <summary>Parts one after another.</summary>
    internal sealed record Sequence(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>The first part that leads to a match.</summary>
    internal sealed record Choice(IReadOnlyList<PatternNode> Parts) : PatternNode;

    /// <summary>Repetition; Most is <see cref="int.MaxValue"/> without a bound.</summary>
    internal sealed record Repeat(PatternNode Part, int Least, int Most, bool IsLazy) : PatternNode;

    /// <summary>Without going back into the part.</summary>
    internal sealed record Atomic(PatternNode Part) : PatternNode;

    /// <summary>Looks ahead or behind without consuming.</summary>
    internal sealed record Look(PatternNode Part, bool IsBehind, bool IsNegative) : PatternNode;

    /// <summary>A place in the text.</summary>
    internal sealed record Place(PatternPlace Kind) : PatternNode;
}

/// <summary>Places that a regular expression can ask for.</summary>
internal enum PatternPlace
{
    TextStart,
    TextEnd,
    TextEndOrLastLineEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}
