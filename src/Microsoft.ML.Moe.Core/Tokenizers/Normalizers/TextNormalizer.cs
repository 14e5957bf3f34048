namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Changes text before it is split. Safe to use from several threads.</summary>
internal abstract class TextNormalizer
{
    /// <summary>Normalizes a text.</summary>
    /// <param name="source">The text.</param>
    /// <param name="target">What becomes of it, when it changes; its contents are overwritten.</param>
    /// <returns>Whether <paramref name="target"/> holds the result; false when the source stands as it is.</returns>
    public abstract bool Normalize(AlignedText source, AlignedText target);

    /// <summary>What a text without a history becomes.</summary>
    public string Normalize(string text)
    {
        var (source, target) = (new AlignedText(), new AlignedText());
        source.SetOriginal(text);
        return (Normalize(source, target) ? target : source).Units.ToString();
    }
}

/// <summary>Normalizers one after another.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<TextNormalizer> normalizers) : TextNormalizer
{
    private readonly IReadOnlyList<TextNormalizer> _normalizers =
        [.. normalizers.SelectMany(n => n is SequenceNormalizer sequence ? sequence._normalizers : [n])];

    public override bool Normalize(AlignedText source, AlignedText target)
    {
        var (current, changed) = (source, false);
        AlignedText? spare = null;
        foreach (var normalizer in _normalizers)
        {
            var next = current == target ? spare ??= new AlignedText() : target;
            if (!normalizer.Normalize(current, next))
                continue;
            changed = true;
            if (current == target)
            {
                // the result belongs in the target
                target.Clear();
                target.Append(next, 0, next.Length);
            }

            current = target;
            TextGrowth.Check(source.Length, current.Length);
        }

        return changed;
    }
}
