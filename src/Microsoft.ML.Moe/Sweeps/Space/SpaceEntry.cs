using System.Globalization;

namespace Microsoft.ML.Moe.Sweeps.Space;

/// <summary>What a space says of one option.</summary>
/// <param name="option">The option.</param>
internal abstract class SpaceEntry(OptionMember option)
{
    /// <summary>The option.</summary>
    public OptionMember Option => option;

    /// <summary>Under which circumstances it is set; null for always.</summary>
    public SpaceCondition? Condition { get; init; }

    /// <summary>Whether it is what a space begins with, and so may be said anew.</summary>
    public bool CanBeSaidAnew { get; set; }

    /// <summary>Whether there is more than one value.</summary>
    public abstract bool IsFree { get; }

    /// <summary>The value at a place within [0, 1).</summary>
    public abstract object? ValueAt(double place);

    /// <summary>Whether a value is one of the entry's.</summary>
    public abstract bool Contains(object? value);

    /// <summary>Values to try whether the options take them.</summary>
    public abstract IEnumerable<object?> Extremes { get; }

    /// <summary>The values in words.</summary>
    public abstract override string ToString();
}

/// <summary>When an entry counts.</summary>
/// <param name="Holds">Tells it by the options.</param>
/// <param name="Text">The same in words.</param>
internal sealed record SpaceCondition(Func<object, bool> Holds, string Text);

/// <summary>A value for all trials.</summary>
internal sealed class FixedEntry(OptionMember option, object? value) : SpaceEntry(option)
{
    public override bool IsFree => false;

    public override IEnumerable<object?> Extremes => [value];

    public override object? ValueAt(double place) => value;

    public override bool Contains(object? other) => Equals(value, other);

    public override string ToString() => OptionText.Of(value);
}

/// <summary>One of some values.</summary>
internal sealed class ChoiceEntry : SpaceEntry
{
    private readonly object?[] _values;

    /// <exception cref="ArgumentException">There are none, or two read alike.</exception>
    public ChoiceEntry(OptionMember option, IEnumerable<object?> values)
        : base(option)
    {
        _values = [.. values.Select(option.Convert)];
        if (_values.Length == 0)
            throw new ArgumentException($"There is nothing to choose from for {option.Name}.", nameof(values));
        // what reads alike a journal could not tell apart
        if (_values.GroupBy(OptionText.Of).FirstOrDefault(same => same.Count() > 1) is { Key: var twice })
            throw new ArgumentException($"{twice} is there twice among the choices of {option.Name}.", nameof(values));
    }

    public override bool IsFree => _values.Length > 1;

    public override IEnumerable<object?> Extremes => _values;

    public override object? ValueAt(double place) => _values[Math.Min(_values.Length - 1, (int)(place * _values.Length))];

    public override bool Contains(object? value) => _values.Contains(value);

    public override string ToString() => "{" + string.Join(", ", _values.Select(OptionText.Of)) + "}";
}

/// <summary>A number between two, all alike or by its logarithm.</summary>
internal sealed class RangeEntry : SpaceEntry
{
    private readonly double _min;
    private readonly double _max;
    private readonly bool _log;

    /// <exception cref="ArgumentException">The ends are no numbers, or in the wrong order, or their logarithm does not exist.</exception>
    public RangeEntry(OptionMember option, object? min, object? max, bool log)
        : base(option)
    {
        if (!option.IsNumber)
            throw new ArgumentException($"{option.Name} is of type {option.Type.Name}, which has no ranges: use Choice.", nameof(option));
        (_min, _max, _log) = (Number(min, nameof(min)), Number(max, nameof(max)), log);
        if (!(_min < _max))
            throw new ArgumentException($"The range of {option.Name} is empty: {OptionText.Of(min)} is not below {OptionText.Of(max)}.", nameof(min));
        if (log && _min <= 0)
            throw new ArgumentException(
                $"The range of {option.Name} is by logarithms, so it has to begin over 0, not at {OptionText.Of(min)}.", nameof(min));
    }

    public override bool IsFree => true;

    public override IEnumerable<object?> Extremes => [Option.Convert(_min), Option.Convert(_max)];

    public override object? ValueAt(double place)
    {
        var end = Option.IsInteger ? _max + 1 : _max;
        var value = _log ? Math.Exp(Math.Log(_min) + place * (Math.Log(end) - Math.Log(_min))) : _min + place * (end - _min);
        return Option.Convert(Option.IsInteger ? Math.Clamp(Math.Floor(value), _min, _max) : Rounded(Math.Clamp(value, _min, _max)));
    }

    public override bool Contains(object? value) =>
        value is not null && Convert.ToDouble(value, CultureInfo.InvariantCulture) is var number && number >= _min && number <= _max;

    public override string ToString() => $"[{OptionText.Of(_min)}, {OptionText.Of(_max)}]{(_log ? " log" : "")}";

    /// <summary>Four digits: more tell nothing, and fewer are easier to read and to type.</summary>
    private double Rounded(double value)
    {
        var rounded = double.Parse(value.ToString("G4", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return Math.Clamp(rounded, _min, _max);
    }

    private double Number(object? value, string parameter)
    {
        var number = Convert.ToDouble(Option.Convert(value) ?? double.NaN, CultureInfo.InvariantCulture);
        if (!double.IsFinite(number))
            throw new ArgumentException($"The range of {Option.Name} needs numbers, not {OptionText.Of(value)}.", parameter);
        // a float's own digits, not those of the double next to it
        return Option.Type == typeof(float) ? double.Parse(OptionText.Of((float)number), CultureInfo.InvariantCulture) : number;
    }
}
