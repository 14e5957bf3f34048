namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>What becomes of the matches at which a text is split.</summary>
internal abstract class SplitBehavior
{
    /// <summary>Pieces without the matches.</summary>
    public static SplitBehavior Removed { get; } = new RemovedBehavior();

    /// <summary>Every match and everything between two is a piece.</summary>
    public static SplitBehavior Isolated { get; } = new IsolatedBehavior();

    /// <summary>Adjacent matches are one piece.</summary>
    public static SplitBehavior Contiguous { get; } = new ContiguousBehavior();

    /// <summary>A match ends the piece before it.</summary>
    public static SplitBehavior MergedWithPrevious { get; } = new PreviousBehavior();

    /// <summary>A match begins the piece after it.</summary>
    public static SplitBehavior MergedWithNext { get; } = new NextBehavior();

    /// <summary>A behavior by its name in tokenizer.json; null for an unknown one.</summary>
    public static SplitBehavior? Find(string name) => name switch
    {
        nameof(Removed) => Removed,
        nameof(Isolated) => Isolated,
        nameof(Contiguous) => Contiguous,
        nameof(MergedWithPrevious) => MergedWithPrevious,
        nameof(MergedWithNext) => MergedWithNext,
        _ => null,
    };

    /// <summary>Joins the parts of a text, matches and what lies between them, to pieces.</summary>
    public abstract IEnumerable<(int Start, int End)> Join(List<(int Start, int End, bool IsMatch)> parts);

    private sealed class RemovedBehavior : SplitBehavior
    {
        public override IEnumerable<(int Start, int End)> Join(List<(int Start, int End, bool IsMatch)> parts) =>
            parts.Where(p => !p.IsMatch).Select(p => (p.Start, p.End));
    }

    private sealed class IsolatedBehavior : SplitBehavior
    {
        public override IEnumerable<(int Start, int End)> Join(List<(int Start, int End, bool IsMatch)> parts) =>
            parts.Select(p => (p.Start, p.End));
    }

    private sealed class ContiguousBehavior : SplitBehavior
    {
        public override IEnumerable<(int Start, int End)> Join(List<(int Start, int End, bool IsMatch)> parts)
        {
            var pieces = new List<(int Start, int End)>(parts.Count);
            var wasMatch = false;
            foreach (var (start, end, isMatch) in parts)
            {
                if (isMatch == wasMatch && pieces.Count > 0)
                    pieces[^1] = (pieces[^1].Start, end);
                else
                    pieces.Add((start, end));
                wasMatch = isMatch;
            }

            return pieces;
        }
    }

    private sealed class PreviousBehavior : SplitBehavior
    {
        public override IEnumerable<(int Start, int End)> Join(List<(int Start, int End, bool IsMatch)> parts)
        {
            var pieces = new List<(int Start, int End)>(parts.Count);
            var wasMatch = false;
            foreach (var (start, end, isMatch) in parts)
            {
                if (isMatch && !wasMatch && pieces.Count > 0)
                    pieces[^1] = (pieces[^1].Start, end);
                else
                    pieces.Add((start, end));
                wasMatch = isMatch;
            }

            return pieces;
        }
    }

    private sealed class NextBehavior : SplitBehavior
    {
        public override IEnumerable<(int Start, int End)> Join(List<(int Start, int End, bool IsMatch)> parts)
        {
            var pieces = new List<(int Start, int End)>(parts.Count);
            var wasMatch = false;
            for (var i = parts.Count - 1; i >= 0; i--)
            {
                var (start, end, isMatch) = parts[i];
                if (isMatch && !wasMatch && pieces.Count > 0)
                    pieces[^1] = (start, pieces[^1].End);
                else
                    pieces.Add((start, end));
                wasMatch = isMatch;
            }

            pieces.Reverse();
            return pieces;
        }
    }
}
