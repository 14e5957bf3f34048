using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// NFC, NFD, NFKC and NFKD (Unicode standard, annex 15) with the alignment of huggingface/tokenizers: a composed code point stands for the
/// first of what it was composed of, and every part of a decomposed one for the whole.
/// </summary>
internal sealed class UnicodeFormNormalizer(NormalizationForm form) : TextNormalizer
{
    private readonly bool _compatible = form is NormalizationForm.FormKC or NormalizationForm.FormKD;
    private readonly bool _composes = form is NormalizationForm.FormC or NormalizationForm.FormKC;

    public override bool Normalize(AlignedText source, AlignedText target)
    {
        var limit = form switch
        {
            NormalizationForm.FormC => '\u02FF',
            NormalizationForm.FormD => '\u00BF',
            _ => '\u009F',
        };
        if (!source.Units.ContainsAnyInRange((char)(limit + 1), '\uFFFF'))
            return false;
        var changes = Decompose(source);
        AlignedChange.Apply(source, _composes ? Compose(changes) : changes, target);
        return !target.Units.SequenceEqual(source.Units);
    }

    /// <summary>Decomposes and orders marks by their combining class.</summary>
    private List<AlignedChange> Decompose(AlignedText source)
    {
        var changes = new List<AlignedChange>(source.Length + 8);
        Span<int> room = stackalloc int[3];
        var firstMark = 0;
        for (var i = 0; i < source.Length;)
        {
            var codePoint = source.CodePointAt(i, out var length);
            i += length;
            var parts = NormalizationTables.Decompose(codePoint, _compatible, room);
            if (parts.IsEmpty)
                Add(codePoint, 0);
            for (var p = 0; p < parts.Length; p++)
                Add(parts[p], p == 0 ? 0 : 1);
        }

        SortMarks(changes, firstMark);
        return changes;

        void Add(int codePoint, int change)
        {
            if (NormalizationTables.ClassOf(codePoint) == 0)
            {
                SortMarks(changes, firstMark);
                firstMark = changes.Count + 1;
            }

            changes.Add(new AlignedChange(codePoint, change));
        }
    }

    /// <summary>Orders the marks from an index on by class, equal ones as they are.</summary>
    private static void SortMarks(List<AlignedChange> changes, int first)
    {
        if (changes.Count - first < 2)
            return;
        var sorted = changes.Skip(first).OrderBy(c => NormalizationTables.ClassOf(c.CodePoint)).ToList();
        changes.RemoveRange(first, sorted.Count);
        changes.AddRange(sorted);
    }

    /// <summary>Composes what follows a starter with it, unless a mark of the same class or a starter stands between.</summary>
    private static List<AlignedChange> Compose(List<AlignedChange> parts)
    {
        var composed = new List<AlignedChange>(parts.Count);
        var (starter, lastClass) = (-1, -1);
        foreach (var part in parts)
        {
            var own = NormalizationTables.ClassOf(part.CodePoint);
            if (starter >= 0 && lastClass < own)
            {
                var result = NormalizationTables.Compose(composed[starter].CodePoint, part.CodePoint);
                if (result >= 0)
                {
                    composed[starter] = new AlignedChange(result, composed[starter].Change + part.Change - 1);
                    continue;
                }
            }

            composed.Add(part);
            if (own == 0)
                (starter, lastClass) = (composed.Count - 1, -1);
            else if (starter >= 0)
                lastClass = own;
        }

        return composed;
    }
}
