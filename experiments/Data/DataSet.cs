using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>Training and test rows with the classes of the training rows.</summary>
internal sealed class DataSet
{
    private readonly Dictionary<string, int> _classes;

    public DataSet(string name, IReadOnlyList<Sentence> train, IReadOnlyList<Sentence> test)
    {
        Name = name;
        Train = train;
        Test = test;
        _classes = train.Select(row => row.Label).Distinct().Order(StringComparer.Ordinal).Index()
            .ToDictionary(label => label.Item, label => label.Index);
        var unknown = test.Select(row => row.Label).FirstOrDefault(label => !_classes.ContainsKey(label));
        if (unknown is not null)
            throw new UserException($"{name}: the test rows have the label '{unknown}', which no training row has.");
    }

    public string Name { get; }

    public IReadOnlyList<Sentence> Train { get; }

    public IReadOnlyList<Sentence> Test { get; }

    /// <summary>Number of classes, C.</summary>
    public int Classes => _classes.Count;

    /// <summary>Rows as trainers and classifiers take them.</summary>
    public IReadOnlyList<Example<EncodedText>> Encode(TextInput input, IEnumerable<Sentence> rows) =>
        [.. rows.Select(row => new Example<EncodedText>(input.Encode(row.Text), _classes[row.Label]))];

    /// <summary>This set with so many training rows of each class, drawn at random by the seed; all of a class that has fewer.</summary>
    public DataSet WithExamples(int perClass, int seed)
    {
        var random = new Random(seed);
        var drawn = Train.GroupBy(row => row.Label).SelectMany(rows =>
        {
            var shuffled = rows.ToArray();
            random.Shuffle(shuffled);
            return shuffled.Take(perClass);
        });
        return new DataSet(Name, [.. drawn], Test);
    }
}
