using System.Globalization;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// A set of code points that a rule holds for. The rule is asked once for each of the 256 code points of a page when one of them is first
/// looked for. Safe to use from several threads.
/// </summary>
internal sealed class CodePointSet(Func<int, bool> rule)
{
    private const int PageBits = 8;
    private const int GroupBits = PageBits + 6;

    // pages in groups: a pattern has a set for each of its letters, of which hardly one looks beyond one group
    private readonly ulong[]?[]?[] _groups = new ulong[]?[]?[0x110000 >> GroupBits];

    /// <summary>Whether a code point is in the set.</summary>
    public bool Contains(int codePoint)
    {
        var page = _groups[codePoint >> GroupBits]?[codePoint >> PageBits & PagesOfGroup - 1] ?? FillPage(codePoint >> PageBits);
        return (page[codePoint >> 6 & 3] >> codePoint & 1) != 0;
    }

    private static int PagesOfGroup => 1 << GroupBits - PageBits;

    private ulong[] FillPage(int index)
    {
        ref var group = ref _groups[index / PagesOfGroup];
        var pages = group ?? Interlocked.CompareExchange(ref group, new ulong[]?[PagesOfGroup], null) ?? group;
        var page = new ulong[4];
        for (var i = 0; i < 1 << PageBits; i++)
            if (rule((index << PageBits) + i))
                page[i >> 6] |= 1UL << i;
        return pages[index % PagesOfGroup] = page;
    }

    /// <summary>The set of the code points of some general categories.</summary>
    public static CodePointSet OfCategories(params ReadOnlySpan<UnicodeCategory> categories)
    {
        var mask = CategoryMask(categories);
        return new CodePointSet(c => IsOf(c, mask));
    }

    /// <summary>One bit for each of some general categories.</summary>
    public static int CategoryMask(params ReadOnlySpan<UnicodeCategory> categories)
    {
        var mask = 0;
        foreach (var category in categories)
            mask |= 1 << (int)category;
        return mask;
    }

    /// <summary>Whether the category of a code point is among those of a mask.</summary>
    public static bool IsOf(int codePoint, int mask) => (1 << (int)CharUnicodeInfo.GetUnicodeCategory(codePoint) & mask) != 0;
}
