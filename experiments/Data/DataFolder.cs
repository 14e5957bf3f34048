namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>A folder with one folder for each data set, and a corpus to pretrain on. Safe to use from several threads.</summary>
/// <param name="path">The folder.</param>
/// <param name="rows">Rows of each table at most, evenly spread over it; null for all.</param>
internal sealed class DataFolder(string path, int? rows)
{
    public const string Clinc150 = "clinc150";
    public const string Snips = "snips";
    public const string MovieSentences = "movie_sentences";

    private const string CorpusPattern = "*.txt";
    private const string LicenceEnding = ".LICENSE.txt";
    private readonly Dictionary<string, DataSet> _loaded = [];

    /// <summary>One of the data sets, with its official test rows.</summary>
    public DataSet Load(string name)
    {
        lock (_loaded)
        {
            if (!_loaded.TryGetValue(name, out var data))
            {
                var (train, test) = name switch
                {
                    Clinc150 => ("clinc150.train.tsv", "clinc150.test.tsv"),
                    Snips => ("snips.train.tsv", "snips.test.tsv"),
                    _ => ("train.tsv", "test.tsv"),
                };
                data = new DataSet(name, Read(Path.Combine(path, name, train)), Read(Path.Combine(path, name, test)));
                _loaded.Add(name, data);
            }

            return data;
        }
    }

    /// <summary>Lines of the corpus, file after file.</summary>
    public IReadOnlyList<string> Corpus()
    {
        var folder = Path.Combine(path, "corpus");
        if (!Directory.Exists(folder))
            throw new UserException($"There is no folder '{folder}'; --data names the folder with the data sets and the corpus.");
        var lines = Directory.EnumerateFiles(folder, CorpusPattern)
            .Where(file => !file.EndsWith(LicenceEnding, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .SelectMany(File.ReadLines)
            .Where(line => !string.IsNullOrWhiteSpace(line));
        return Thin([.. lines]);
    }

    private List<Sentence> Read(string file)
    {
        if (!File.Exists(file))
            throw new UserException($"There is no file '{file}'; --data names the folder with the data sets.");
        var table = new List<Sentence>();
        foreach (var (number, line) in File.ReadLines(file).Index().Skip(1))
        {
            var tab = line.IndexOf('\t', StringComparison.Ordinal);
            if (tab < 0)
                throw new UserException($"'{file}', line {number + 1}: a label, a tab and a text are expected.");
            table.Add(new Sentence(line[..tab], line[(tab + 1)..]));
        }

        return table.Count > 0 ? Thin(table) : throw new UserException($"'{file}' has no rows.");
    }

    private List<T> Thin<T>(List<T> all) => rows is { } most ? [.. EvenSample.Of(all, most)] : all;
}
