using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Which code points are the same to those who ignore case: simple folding of Unicode's CaseFolding, one to one.</summary>
internal static class CaseFolding
{
    /// <summary>Last code point with a case, for the search.</summary>
    private const int LastCased = 0x1E943;

    private static readonly Lazy<Dictionary<int, int[]>> Others = new(FindOthers);

    /// <summary>The rule that also holds for a code point when it holds for one that differs in case alone.</summary>
    public static Func<int, bool> IgnoringCase(Func<int, bool> rule) =>
        c => rule(c) || (Others.Value.TryGetValue(c, out var others) && Array.Exists(others, o => rule(o)));

    private static Dictionary<int, int[]> FindOthers()
    {
        var groups = new Dictionary<int, List<int>>();
        for (var c = 0; c <= LastCased; c++)
        {
            if (c is >= 0xD800 and <= 0xDFFF)
                continue;
            var folded = Fold(c);
            if (folded == c)
                continue;
            if (!groups.TryGetValue(folded, out var group))
                groups[folded] = group = [folded];
            group.Add(c);
        }

        var others = new Dictionary<int, int[]>();
        foreach (var group in groups.Values)
            foreach (var c in group)
                others[c] = [.. group.Where(o => o != c)];
        return others;
    }

    /// <summary>Folds by upper, then lower case; İ and ı stay themselves.</summary>
    private static int Fold(int codePoint)
    {
        if (codePoint is 0x130 or 0x131)
            return codePoint;
        // the capital sharp s and what Unicode folds without an upper case
        switch (codePoint)
        {
            case 0x1E9E:
                return 0xDF;
            case 0x17F:
                return 's';
            case 0x212A:
                return 'k';
            case 0x212B:
                return 0xE5;
            case 0x2126:
                return 0x3C9;
        }

        return LowerCase.Of(Rune.ToUpperInvariant(new Rune(codePoint)).Value);
    }
}
