namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Values by number, in a list where not too many numbers have none, and else in a dictionary: a file that only names a large number takes no
/// memory for those below it. Safe to read from several threads.
/// </summary>
/// <typeparam name="T">A value; numbers without one have the default.</typeparam>
internal sealed class NumberedValues<T>
{
    private const int MostGaps = 1 << 16;
    private readonly T?[] _list = [];
    private readonly Dictionary<int, T>? _sparse;

    /// <summary>Values that are set afterwards.</summary>
    /// <param name="numbers">Numbers lie within [0, <paramref name="numbers"/>).</param>
    /// <param name="values">How many have a value.</param>
    /// <param name="share">How many times as many numbers as values a list may have, beside some tens of thousands.</param>
    public NumberedValues(int numbers, int values, int share)
    {
        if (numbers > MostGaps + (long)share * values)
            _sparse = new Dictionary<int, T>(values);
        else
            _list = new T?[numbers];
    }

    /// <summary>The value of a number; the default where it has none.</summary>
    public T? this[int number] =>
        _sparse is not null ? _sparse.GetValueOrDefault(number) : (uint)number < (uint)_list.Length ? _list[number] : default;

    /// <summary>Gives a number its value.</summary>
    public void Set(int number, T value)
    {
        if (_sparse is not null)
            _sparse[number] = value;
        else
            _list[number] = value;
    }
}
