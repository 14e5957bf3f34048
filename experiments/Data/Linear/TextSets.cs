using System.Text;

namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>
/// Sets of the kinds that users have: few and many classes, short and long texts, clean and noisy labels, languages with long words or
/// without spaces, pairs of sentences. The same folder and SDK give the same sets.
/// </summary>
/// <param name="folder">Where clinc150, snips and movie_sentences are.</param>
/// <param name="rows">Rows of training and test at most, drawn at random; null for all.</param>
internal sealed class TextSets(string folder, int? rows = null)
{
    private static readonly string[] QuestionWords =
    [
        "what", "what's", "whats", "how", "when", "where", "who", "why", "which", "is", "are", "can", "could", "do", "does", "did",
        "will", "would", "should", "may", "am", "has", "have",
    ];

    private readonly Lazy<IReadOnlyList<DocumentedMember>> _members = new(DocumentationMembers.Read);

    private Dictionary<string, Func<TextSet>> Makers => new()
    {
        ["clinc150"] = () => Official("clinc150", "clinc150.train.tsv", "clinc150.val.tsv"),
        ["clinc150-test"] = () => Official("clinc150", "clinc150.train.tsv", "clinc150.test.tsv"),
        ["intents-ten"] = () => Official("clinc150", "clinc150.train.tsv", "clinc150.test.tsv") with { RowsOfEachClass = 10 },
        ["intents-five"] = () => Official("clinc150", "clinc150.train.tsv", "clinc150.test.tsv") with { RowsOfEachClass = 5 },
        ["snips-test"] = () => Official("snips", "snips.train.tsv", "snips.test.tsv"),
        ["movie"] = () => Official("movie_sentences", "train.tsv", "val.tsv"),
        ["movie-test"] = () => Official("movie_sentences", "train.tsv", "test.tsv"),
        ["intents-few"] = () => Thin(Official("clinc150", "clinc150.train.tsv", "clinc150.val.tsv"), 2000, 3000, 3),
        ["questions"] = Questions,
        ["doc-areas"] = DocAreas,
        ["long-docs"] = LongDocs,
        ["long-reviews"] = LongReviews,
        ["noisy-movie"] = () => Noisy(Thin(Official("movie_sentences", "train.tsv", "val.tsv"), 4000, 3000, 4), 0.15, 5),
        ["noisy-intents"] = () => Noisy(Thin(Official("clinc150", "clinc150.train.tsv", "clinc150.val.tsv"), 6000, 3000, 6), 0.2, 7),
        ["long-words"] = LongWords,
        ["no-spaces"] = NoSpaces,
        ["pairs-intent"] = PairsOfIntents,
        ["pairs-edited"] = PairsEdited,
        ["pairs-returns"] = PairsOfReturns,
    };

    /// <summary>Names of the sets.</summary>
    public IEnumerable<string> Names => Makers.Keys;

    /// <summary>Makes a set.</summary>
    public TextSet Make(string name)
    {
        if (!Makers.TryGetValue(name, out var make))
            throw new UserException($"There is no set '{name}'; known are {string.Join(", ", Names)}.");
        var set = make() with { Name = name };
        if (rows is not { } most)
            return set;
        var known = Draw(set.Train, most, 1);
        var labels = known.Select(row => row.Label).ToHashSet();
        return set with { Train = known, Test = Draw(set.Test.Where(row => labels.Contains(row.Label)), most, 1) };
    }

    private TextSet Official(string name, string train, string test) =>
        new(name, Read(Path.Combine(folder, name, train)), Read(Path.Combine(folder, name, test)));

    private static List<LabelledText> Read(string file) =>
        [.. File.ReadLines(file).Skip(1).Select(line => line.Split('\t', 2)).Select(parts => new LabelledText(parts[0], parts[1]))];

    private static TextSet Thin(TextSet set, int train, int test, int seed) =>
        set with { Train = Draw(set.Train, train, seed), Test = Draw(set.Test, test, seed) };

    /// <summary>So many of the rows, drawn at random by a seed; all where there are fewer.</summary>
    public static List<T> Draw<T>(IEnumerable<T> rows, int count, int seed)
    {
        var shuffled = rows.ToArray();
        new Random(seed).Shuffle(shuffled);
        return [.. shuffled.Take(count)];
    }

    private static TextSet Noisy(TextSet set, double share, int seed)
    {
        var random = new Random(seed);
        var labels = set.Train.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal).ToArray();
        return set with
        {
            Train = [.. set.Train.Select(row => random.NextDouble() >= share ? row : row with { Label = Other(row.Label) })],
        };

        string Other(string label)
        {
            var other = labels[random.Next(labels.Length - 1)];
            return other == label ? labels[^1] : other;
        }
    }

    /// <summary>Utterances that are questions, labelled by what they are about; half of the intents are rare in training.</summary>
    private TextSet Questions()
    {
        string[] domains = ["banking", "travel", "kitchen_and_dining", "auto_and_commute", "utility", "work"];
        var json = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "clinc150", "clinc150.domains.json")));
        var domainOf = new Dictionary<string, string>();
        foreach (var domain in domains)
            foreach (var intent in json.RootElement.GetProperty(domain).EnumerateArray())
                domainOf[intent.GetString()!] = domain;
        var all = Official("clinc150", "clinc150.train.tsv", "clinc150.val.tsv");
        var random = new Random(11);
        var rare = domainOf.Keys.Order(StringComparer.Ordinal).Where(_ => random.NextDouble() < 0.5).ToHashSet();
        return new TextSet(
            "", Draw(Of(all.Train).Where(row => !rare.Contains(row.Intent) || random.NextDouble() < 0.1).Select(row => row.Text), 5000, 1),
            [.. Of(all.Test).Concat(Of(Read(Path.Combine(folder, "clinc150", "clinc150.test.tsv")))).Select(row => row.Text)]);

        IEnumerable<(string Intent, LabelledText Text)> Of(IEnumerable<LabelledText> rows) =>
            from row in rows
            where domainOf.ContainsKey(row.Label) && QuestionWords.Contains(row.First.Split(' ')[0])
            select (row.Label, new LabelledText(domainOf[row.Label], row.First));
    }

    /// <summary>Short first sentences of documentation by area, six areas; no type is in training and test.</summary>
    private TextSet DocAreas()
    {
        var sentences = _members.Value
            .Select(member => (member.Type, Row: new LabelledText(member.Area, member.Summary.Split(". ")[0].TrimEnd('.'))))
            .Where(row => row.Row.First.Split(' ').Length is >= 4 and <= 14)
            .DistinctBy(row => row.Row.First)
            .ToList();
        string[] areas = ["System.Net", "System.Security", "System.Xml", "Microsoft.AspNetCore", "System.Data", "System.Threading"];
        return SplitByType(sentences.FindAll(row => areas.Contains(row.Row.Label)), 5500, 3000, 12);
    }

    /// <summary>All that is said of a type, hundreds of words, by area: the twelve largest.</summary>
    private TextSet LongDocs()
    {
        var types = _members.Value.GroupBy(member => (member.Area, member.Type))
            .Select(type => (
                type.Key.Area, type.Key.Type, Text: string.Join(' ', type.Select(m => m.Summary + " " + m.Returns).Distinct())))
            .Where(type => type.Text.Length > 1200)
            .ToList();
        var areas = types.CountBy(type => type.Area).OrderByDescending(count => count.Value).Take(12)
            .Select(count => count.Key).ToHashSet();
        return SplitByType(
            types.FindAll(type => areas.Contains(type.Area))
                .Select(type => (type.Type, new LabelledText(type.Area, type.Text[..Math.Min(type.Text.Length, 5000)]))), 4000, 3000, 13);
    }

    /// <summary>
    /// Reviews of about 700 words: 32 sentences of film reviews, two thirds of them of the review's polarity, in any order.
    /// </summary>
    private TextSet LongReviews()
    {
        var set = Official("movie_sentences", "train.tsv", "val.tsv");
        return new TextSet(
            "", Reviews(set.Train, 3000, 14),
            Reviews([.. set.Test, .. Read(Path.Combine(folder, "movie_sentences", "test.tsv"))], 1000, 15));

        static List<LabelledText> Reviews(IReadOnlyList<LabelledText> sentences, int count, int seed)
        {
            var random = new Random(seed);
            var byLabel = sentences.GroupBy(row => row.Label).OrderBy(group => group.Key, StringComparer.Ordinal)
                .Select(group => group.ToArray()).ToArray();
            return [.. Enumerable.Range(0, count).Select(i => new LabelledText(byLabel[i % 2][0].Label, Review(i % 2)))];

            string Review(int polarity) => string.Join(' ', Enumerable.Range(0, 32)
                .Select(_ => byLabel[random.NextDouble() < 0.62 ? polarity : 1 - polarity])
                .Select(own => own[random.Next(own.Length)].First));
        }
    }

    /// <summary>A language of compounds with endings, written carelessly, one label in ten wrong.</summary>
    private TextSet LongWords()
    {
        string[] endings = ["", "e", "en", "er", "es", "em", "s", "n"];
        var random = new Random(16);
        var set = Thin(Official("movie_sentences", "train.tsv", "val.tsv"), 5000, 3000, 17);
        return Noisy(set with { Train = [.. set.Train.Select(Compound)], Test = [.. set.Test.Select(Compound)] }, 0.1, 18);

        LabelledText Compound(LabelledText row)
        {
            var text = new StringBuilder();
            foreach (var word in row.First.Split(' '))
            {
                var written = word.Length > 3 && random.NextDouble() < 0.15 ? Mistake(word) : word;
                text.Append(written);
                if (word.Length < 4 || !char.IsLetter(word[0]) || random.NextDouble() < 0.5)
                    text.Append(' ');
                else if (random.NextDouble() < 0.5)
                    text.Append(endings[random.Next(endings.Length)]).Append(' ');
            }

            return row with { First = text.ToString() };
        }

        string Mistake(string word)
        {
            var place = random.Next(word.Length - 1);
            return random.Next(2) == 0
                ? word.Remove(place, 1)
                : word[..place] + word[place + 1] + word[place] + word[(place + 2)..];
        }
    }

    /// <summary>Texts of signs without spaces, two to three sentences each; a word is one to four of 2,500 signs.</summary>
    private TextSet NoSpaces()
    {
        var set = Official("movie_sentences", "train.tsv", "val.tsv");
        var test = Read(Path.Combine(folder, "movie_sentences", "test.tsv"));
        return new TextSet("", [.. Join(set.Train, 2)], [.. Join([.. set.Test, .. test], 2)]);

        static IEnumerable<LabelledText> Join(IReadOnlyList<LabelledText> rows, int sentences) =>
            from ofLabel in rows.GroupBy(row => row.Label)
            from chunk in ofLabel.Chunk(sentences)
            select new LabelledText(ofLabel.Key, string.Join("。", chunk.Select(row => Signs(row.First))));

        static string Signs(string text)
        {
            var signs = new StringBuilder();
            foreach (var word in text.Split(' '))
            {
                if (!char.IsLetter(word.FirstOrDefault('.')))
                {
                    signs.Append(word is "," ? "，" : "");
                    continue;
                }

                for (var i = 0; i < word.Length; i += 3)
                {
                    var hash = 17u;
                    foreach (var letter in word.AsSpan(i, Math.Min(3, word.Length - i)))
                        hash = (hash ^ letter) * 16777619;
                    signs.Append((char)(0x4E00 + (hash ^ (hash >> 15)) % 2500));
                }
            }

            return signs.ToString();
        }
    }

    /// <summary>Two utterances: do they ask for the same? The unlike ones are of the same domain or share words.</summary>
    private TextSet PairsOfIntents()
    {
        var set = Official("clinc150", "clinc150.train.tsv", "clinc150.val.tsv");
        return new TextSet("", Pairs(set.Train, 3600, 19), Pairs(set.Test, 2000, 20));

        static List<LabelledText> Pairs(IReadOnlyList<LabelledText> rows, int count, int seed)
        {
            var random = new Random(seed);
            var byIntent = rows.GroupBy(row => row.Label).ToDictionary(group => group.Key, group => group.ToArray());
            var pairs = new List<LabelledText>();
            while (pairs.Count < count)
            {
                var first = rows[random.Next(rows.Count)];
                var isSame = random.Next(2) == 0;
                var candidates = isSame
                    ? byIntent[first.Label].Where(row => row != first).ToArray()
                    : Enumerable.Range(0, 60).Select(_ => rows[random.Next(rows.Count)]).Where(row => row.Label != first.Label).ToArray();
                // of the unlike the likest of a few, of the like any
                var second = isSame
                    ? candidates[random.Next(candidates.Length)]
                    : candidates.MaxBy(row => row.First.Split(' ').Intersect(first.First.Split(' ')).Count());
                pairs.Add(new LabelledText(isSame ? "same" : "other", first.First, second.First));
            }

            return pairs;
        }
    }

    /// <summary>A sentence of documentation and one edited: does it still say the same?</summary>
    private TextSet PairsEdited()
    {
        var sentences = _members.Value.Select(member => member.Summary.Split(". ")[0].TrimEnd('.'))
            .Where(text => text.Split(' ').Length is >= 7 and <= 25).Distinct().ToList();
        sentences = Draw(sentences, 5000, 21);
        var words = sentences.SelectMany(s => s.Split(' ')).Where(w => w.Length > 4).ToArray();
        var random = new Random(22);
        var pairs = sentences.ConvertAll(sentence =>
        {
            var isSame = random.Next(2) == 0;
            var edited = sentence.Split(' ').ToList();
            for (var drops = random.Next(1, 4); drops > 0; drops--)
                edited.RemoveAt(random.Next(edited.Count));
            if (random.Next(2) == 0)
            {
                var cut = random.Next(1, edited.Count);
                edited = [.. edited.Skip(cut), .. edited.Take(cut)];
            }

            if (!isSame)
            {
                var kind = random.Next(3);
                if (kind == 0)
                    edited.Insert(random.Next(1, 4), "not");
                for (var changes = kind == 0 ? 0 : random.Next(1, 3); changes > 0; changes--)
                    edited[random.Next(edited.Count)] = words[random.Next(words.Length)];
            }

            return new LabelledText(isSame ? "same" : "changed", sentence, string.Join(' ', edited));
        });
        return new TextSet("", pairs[..3000], pairs[3000..]);
    }

    /// <summary>What a member is for, and what a member returns: the same one, or another of the same type?</summary>
    private TextSet PairsOfReturns()
    {
        var random = new Random(23);
        var pairs = new List<(string, LabelledText)>();
        foreach (var type in _members.Value.Where(m => m.Returns.Length > 20).GroupBy(m => m.Type))
        {
            var members = type.DistinctBy(m => m.Returns).DistinctBy(m => m.Summary).Take(8).ToArray();
            if (members.Length < 2)
                continue;
            for (var i = 0; i < members.Length; i++)
            {
                var isSame = random.Next(2) == 0;
                var other = isSame ? i : (i + random.Next(1, members.Length)) % members.Length;
                pairs.Add((type.Key, new LabelledText(isSame ? "same" : "other", members[i].Summary, members[other].Returns)));
            }
        }

        return SplitByType(pairs, 2500, 2000, 24);
    }

    private static TextSet SplitByType(IEnumerable<(string Type, LabelledText Row)> rows, int train, int test, int seed)
    {
        var isTest = new Dictionary<string, bool>();
        var random = new Random(seed);
        var (training, testing) = (new List<LabelledText>(), new List<LabelledText>());
        foreach (var (type, row) in rows)
        {
            if (!isTest.TryGetValue(type, out var held))
                isTest[type] = held = random.NextDouble() < 0.3;
            (held ? testing : training).Add(row);
        }

        var drawn = Draw(training, train, seed);
        var known = drawn.Select(row => row.Label).ToHashSet();
        return new TextSet("", drawn, Draw(testing.Where(row => known.Contains(row.Label)), test, seed));
    }
}
