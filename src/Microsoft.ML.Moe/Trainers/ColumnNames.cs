namespace Microsoft.ML.Moe.Trainers;

/// <summary>
/// The columns that an estimator reads and writes, with the options that name them. A column that is written hides one of the same name:
/// a label under the name of a prediction would be compared with itself.
/// </summary>
internal sealed class ColumnNames
{
    private readonly List<(string Option, string? Name)> _read = [];
    private readonly List<(string Option, string? Name)> _written = [];

    /// <summary>Adds a column that is read; it must have a name.</summary>
    public ColumnNames Read(string? name, string option)
    {
        _read.Add((option, name ?? ""));
        return this;
    }

    /// <summary>Adds a column that is read where it has a name.</summary>
    public ColumnNames ReadIfNamed(string? name, string option)
    {
        if (name is not null)
            Read(name, option);
        return this;
    }

    /// <summary>Adds a column that is written; it must have a name.</summary>
    public ColumnNames Write(string? name, string option)
    {
        _written.Add((option, name ?? ""));
        return this;
    }

    /// <summary>Adds a column that is written where it has a name.</summary>
    public ColumnNames WriteIfNamed(string? name, string option)
    {
        if (name is not null)
            Write(name, option);
        return this;
    }

    /// <summary>The option that names a column that is read; null for none.</summary>
    public string? OptionOf(string column) => _read.Find(read => read.Name == column).Option;

    /// <summary>Checks that every column has a name of its own.</summary>
    /// <exception cref="ArgumentException">One has none, or two have the same; the message names the options.</exception>
    public void Check()
    {
        var columns = _read.Concat(_written).ToList();
        foreach (var (option, name) in columns)
            if (string.IsNullOrEmpty(name))
                throw new ArgumentException($"{option} is empty.", option);
        foreach (var same in columns.GroupBy(column => column.Name).Where(group => group.Count() > 1))
        {
            var (first, second) = (same.First().Option, same.Last().Option);
            throw new ArgumentException($"{first} and {second} are both '{same.Key}'; each column needs a name of its own.", second);
        }
    }
}
