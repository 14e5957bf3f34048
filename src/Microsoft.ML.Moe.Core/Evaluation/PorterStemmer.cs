namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// Porter's stemmer of English (Porter 1980, "An algorithm for suffix stripping") with the changes that NLTK makes to it by default, which
/// ROUGE is defined by: a few irregular words, words of one or two letters as they are, -ies and -ied of four letters to -ie, y after a
/// consonant to i whatever comes before, -alli first and then on, -fulli, -logi, and e kept after a vowel and a consonant alone.
/// </summary>
internal static class PorterStemmer
{
    private static readonly Dictionary<string, string> Irregular = new()
    {
        ["sky"] = "sky", ["skies"] = "sky", ["dying"] = "die", ["lying"] = "lie", ["tying"] = "tie", ["news"] = "news",
        ["innings"] = "inning", ["inning"] = "inning", ["outings"] = "outing", ["outing"] = "outing",
        ["cannings"] = "canning", ["canning"] = "canning", ["howe"] = "howe",
        ["proceed"] = "proceed", ["exceed"] = "exceed", ["succeed"] = "succeed",
    };

    // In the order in which they are tried: the first suffix that a word has decides.
    private static readonly (string Suffix, string Replacement)[] DoubleSuffixes =
    [
        ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"), ("alli", "al"),
        ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"),
        ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
    ];

    private static readonly (string Suffix, string Replacement)[] ShortSuffixes =
        [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

    private static readonly string[] LastSuffixes =
    [
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti", "ous", "ive",
        "ize",
    ];

    /// <summary>The stem of a word.</summary>
    /// <param name="word">A word in lower case; letters other than a to z, and digits, count as consonants.</param>
    public static string Stem(string word)
    {
        if (Irregular.TryGetValue(word, out var stem))
            return stem;
        return word.Length <= 2 ? word : WithoutE(WithoutLast(WithoutShort(WithoutDouble(WithI(WithoutEdOrIng(WithoutPlural(word)))))));
    }

    /// <summary>Step 1a.</summary>
    private static string WithoutPlural(string word)
    {
        if (Ends(word, "sses"))
            return word[..^2];
        if (Ends(word, "ies"))
            return word.Length == 4 ? word[..^1] : word[..^2];
        return Ends(word, "s") && !Ends(word, "ss") ? word[..^1] : word;
    }

    /// <summary>Step 1b.</summary>
    private static string WithoutEdOrIng(string word)
    {
        if (Ends(word, "ied"))
            return word.Length == 4 ? word[..^1] : word[..^2];
        if (Ends(word, "eed"))
            return Measure(word[..^3]) > 0 ? word[..^1] : word;
        var stem = Ends(word, "ed") && HasVowel(word[..^2]) ? word[..^2] : Ends(word, "ing") && HasVowel(word[..^3]) ? word[..^3] : null;
        if (stem is null)
            return word;
        if (Ends(stem, "at") || Ends(stem, "bl") || Ends(stem, "iz"))
            return stem + "e";
        if (EndsInDoubleConsonant(stem))
            return stem[^1] is 'l' or 's' or 'z' ? stem : stem[..^1];
        return Measure(stem) == 1 && EndsInConsonantVowelConsonant(stem) ? stem + "e" : stem;
    }

    /// <summary>Step 1c.</summary>
    private static string WithI(string word) =>
        word.Length > 2 && word[^1] == 'y' && Consonants(word)[^2] ? word[..^1] + "i" : word;

    /// <summary>Step 2.</summary>
    private static string WithoutDouble(string word)
    {
        while (Ends(word, "alli") && Measure(word[..^4]) > 0)
            word = word[..^2];
        if (Replace(word, DoubleSuffixes) is { } replaced)
            return replaced;
        return Ends(word, "logi") && Measure(word[..^3]) > 0 ? word[..^1] : word;
    }

    /// <summary>Step 3.</summary>
    private static string WithoutShort(string word) => Replace(word, ShortSuffixes) ?? word;

    /// <summary>Step 4.</summary>
    private static string WithoutLast(string word)
    {
        foreach (var suffix in LastSuffixes)
        {
            if (!Ends(word, suffix))
                continue;
            var stem = word[..^suffix.Length];
            return Measure(stem) > 1 && (suffix != "ion" || stem[^1] is 's' or 't') ? stem : word;
        }

        return word;
    }

    /// <summary>Step 5.</summary>
    private static string WithoutE(string word)
    {
        if (Ends(word, "e"))
        {
            var stem = word[..^1];
            if (Measure(stem) is var m && (m > 1 || (m == 1 && !EndsInConsonantVowelConsonant(stem))))
                word = stem;
        }

        return Ends(word, "ll") && Measure(word[..^1]) > 1 ? word[..^1] : word;
    }

    private static string? Replace(string word, (string Suffix, string Replacement)[] rules)
    {
        foreach (var (suffix, replacement) in rules)
            if (Ends(word, suffix))
                return Measure(word[..^suffix.Length]) > 0 ? word[..^suffix.Length] + replacement : word;
        return null;
    }

    private static bool Ends(string word, string suffix) => word.EndsWith(suffix, StringComparison.Ordinal);

    // y is a consonant at the start and behind a vowel.
    private static bool[] Consonants(string word)
    {
        var result = new bool[word.Length];
        for (var i = 0; i < word.Length; i++)
            result[i] = word[i] is not ('a' or 'e' or 'i' or 'o' or 'u') && (word[i] != 'y' || i == 0 || !result[i - 1]);
        return result;
    }

    /// <summary>How often a consonant follows a vowel.</summary>
    private static int Measure(string word)
    {
        var consonants = Consonants(word);
        var measure = 0;
        for (var i = 1; i < word.Length; i++)
            measure += consonants[i] && !consonants[i - 1] ? 1 : 0;
        return measure;
    }

    private static bool HasVowel(string word) => Array.IndexOf(Consonants(word), false) >= 0;

    private static bool EndsInDoubleConsonant(string word) => word.Length >= 2 && word[^1] == word[^2] && Consonants(word)[^1];

    private static bool EndsInConsonantVowelConsonant(string word)
    {
        var consonants = Consonants(word);
        return word.Length == 2
            ? !consonants[0] && consonants[1]
            : word.Length > 2 && consonants[^3] && !consonants[^2] && consonants[^1] && word[^1] is not ('w' or 'x' or 'y');
    }
}
