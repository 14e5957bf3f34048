namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>
/// Files of text lines to learn language from, each with a part to learn from and a part to measure on: the first 95 % of its lines, and the
/// rest.
/// </summary>
internal sealed class TextCorpus
{
    private const int TestPart = 20;

    private static readonly string[] Names = ["dotnet_ref_docs.txt", "dialogue_utterances.txt"];

    private TextCorpus(IReadOnlyList<string[]> train, IReadOnlyList<string[]> test) => (Train, Test) = (train, test);

    /// <summary>Lines of each file to learn from.</summary>
    public IReadOnlyList<string[]> Train { get; }

    /// <summary>Lines of each file to measure on.</summary>
    public IReadOnlyList<string[]> Test { get; }

    /// <summary>Reads the files.</summary>
    /// <param name="data">Folder with a folder <c>corpus</c>.</param>
    /// <exception cref="UserException">A file is missing.</exception>
    public static TextCorpus Read(string data)
    {
        var (train, test) = (new List<string[]>(), new List<string[]>());
        foreach (var file in Names.Select(name => Path.Combine(data, "corpus", name)))
        {
            if (!File.Exists(file))
                throw new UserException($"There is no file '{file}'; --data names the folder with the data sets and the corpus.");
            var lines = File.ReadAllLines(file);
            var first = lines.Length - lines.Length / TestPart;
            train.Add(lines[..first]);
            test.Add(lines[first..]);
        }

        return new TextCorpus(train, test);
    }
}
