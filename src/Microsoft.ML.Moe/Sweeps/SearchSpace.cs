using System.Collections.Immutable;
using System.Linq.Expressions;
using System.Reflection;
using Microsoft.ML.Moe.Sweeps.Space;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

/// <summary>
/// Which options a sweep changes, and within which bounds. A space never changes: each method gives a new one. What is contradictory is refused
/// where it is said.
/// </summary>
/// <typeparam name="TOptions">
/// Class of the options, whose parameterless constructor gives the defaults: that of a trainer of this library, of ML.NET's, or one of your own.
/// </typeparam>
/// <example>
/// <code language="csharp"><![CDATA[
/// var space = SearchSpaces.Text
///     .Fix(o => o.Sentence1ColumnName, "Text")
///     .Range(o => o.LearningRate, 3e-4f, 5e-3f, log: true)
///     .Choice(o => o.MoeEvery, 0, 1)
///     .When(o => o.MoeEvery == 1, s => s.Choice(o => o.Experts, 4, 8, 16));
/// ]]></code>
/// </example>
public sealed class SearchSpace<TOptions>
    where TOptions : class, new()
{
    private readonly ImmutableArray<SpaceEntry> _entries;
    private readonly ImmutableArray<Configuration> _first;

    private SearchSpace(ImmutableArray<SpaceEntry> entries, ImmutableArray<Configuration> first) => (_entries, _first) = (entries, first);

    /// <summary>A space of the defaults alone.</summary>
    internal static SearchSpace<TOptions> Empty { get; } = new([], []);

    /// <summary>
    /// The space that the attributes of the options say: <see cref="RangeAttribute"/>, <see cref="ChoiceAttribute"/> and
    /// <see cref="BooleanChoiceAttribute"/>, which Microsoft.ML.AutoML reads too. What they say can be said anew.
    /// </summary>
    /// <exception cref="ArgumentException">An attribute does not fit its option; the message names it.</exception>
    internal static SearchSpace<TOptions> FromAttributes()
    {
        var entries = ImmutableArray.CreateBuilder<SpaceEntry>();
        foreach (var (option, member) in OptionMember.All(typeof(TOptions)))
        {
            if (member.GetCustomAttribute<RangeAttribute>() is { } range)
                entries.Add(new RangeEntry(option, range.Min, range.Max, range.LogBase) { CanBeSaidAnew = true });
            else if (member.GetCustomAttribute<ChoiceAttribute>() is { } choice)
                entries.Add(new ChoiceEntry(option, choice.Candidates) { CanBeSaidAnew = true });
            else if (member.GetCustomAttribute<BooleanChoiceAttribute>() is not null)
                entries.Add(new ChoiceEntry(option, [false, true]) { CanBeSaidAnew = true });
        }

        return new(entries.ToImmutable(), []);
    }

    /// <summary>The same space, in which everything can be said anew.</summary>
    internal SearchSpace<TOptions> AsBeginning()
    {
        foreach (var entry in _entries)
            entry.CanBeSaidAnew = true;
        return this;
    }

    /// <summary>Names of the options that differ between trials.</summary>
    public IReadOnlyList<string> Options => [.. _entries.Where(entry => entry.IsFree).Select(entry => entry.Option.Name).Distinct()];

    /// <summary>
    /// What is tried right after the defaults, before the space is searched, as far as the space still has its values: what <c>First</c> has added.
    /// </summary>
    public IReadOnlyList<Configuration> Portfolio => _first;

    /// <summary>Entries, each after those that its condition depends on.</summary>
    internal IReadOnlyList<SpaceEntry> Entries => _entries;

    /// <summary>Lets an option be any number between two.</summary>
    /// <param name="option">The option, such as <c>o => o.LearningRate</c>.</param>
    /// <param name="min">The least, below <paramref name="max"/>.</param>
    /// <param name="max">The greatest.</param>
    /// <param name="log">Whether each factor is as likely as any other, as suits learning rates, and not each number. Needs a least over 0.</param>
    /// <exception cref="ArgumentException">The range is empty, or the option is none, has no range or has been given values already.</exception>
    public SearchSpace<TOptions> Range<T>(Expression<Func<TOptions, T>> option, T min, T max, bool log = false) =>
        With(new RangeEntry(OptionMember.Of(option), min, max, log));

    /// <summary>Lets an option be one of some values.</summary>
    /// <param name="option">The option.</param>
    /// <param name="values">The values, at least one.</param>
    /// <exception cref="ArgumentException">There are none, or one is there twice, or the option is none or has been given values already.</exception>
    public SearchSpace<TOptions> Choice<T>(Expression<Func<TOptions, T>> option, params T[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return With(new ChoiceEntry(OptionMember.Of(option), values.Cast<object?>()));
    }

    /// <summary>Gives an option a value in all trials, that of the defaults too.</summary>
    /// <param name="option">The option.</param>
    /// <param name="value">The value.</param>
    /// <exception cref="ArgumentException">The option is none, or has been given values already.</exception>
    public SearchSpace<TOptions> Fix<T>(Expression<Func<TOptions, T>> option, T value)
    {
        var member = OptionMember.Of(option);
        return With(new FixedEntry(member, member.Convert(value)));
    }

    /// <summary>Adds options that count only where others have certain values; elsewhere they keep their defaults.</summary>
    /// <param name="condition">Which values, such as <c>o => o.MoeEvery == 1</c>: of options that this space has given values.</param>
    /// <param name="add">Adds the options.</param>
    /// <exception cref="ArgumentException">
    /// The condition reads an option that the space does not change, or one that is added is given values elsewhere.
    /// </exception>
    public SearchSpace<TOptions> When(
        Expression<Func<TOptions, bool>> condition, Func<SearchSpace<TOptions>, SearchSpace<TOptions>> add)
    {
        ArgumentNullException.ThrowIfNull(condition);
        ArgumentNullException.ThrowIfNull(add);
        var read = OptionMember.ReadBy(condition.Body);
        if (read.Count == 0)
            throw new ArgumentException($"'{condition.Body}' reads no option of {typeof(TOptions).Name}.", nameof(condition));
        if (read.FirstOrDefault(option => !_entries.Any(entry => entry.Option.Equals(option) && entry.IsFree)) is { } unknown)
            throw new ArgumentException(
                $"'{condition.Body}' reads {unknown.Name}, which is the same in all trials: give it a Range or Choice before.", nameof(condition));
        var added = add(Empty);
        ArgumentNullException.ThrowIfNull(added, nameof(add));
        var (holds, space) = (condition.Compile(), this);
        foreach (var entry in added._entries)
        {
            var outer = new SpaceCondition(options => holds((TOptions)options), condition.Body.ToString());
            space = space.With(new ConditionalEntry(entry, Both(outer, entry.Condition)));
        }

        return space;
    }

    /// <summary>Adds a configuration to try right after the defaults, before the space is searched.</summary>
    /// <param name="configuration">Sets options to values of the space; the others keep their defaults.</param>
    /// <exception cref="ArgumentException">An option is not of this space, or the value not among its values; the message names it.</exception>
    public SearchSpace<TOptions> First(Func<Configuration, Configuration> configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var made = configuration(new Configuration());
        ArgumentNullException.ThrowIfNull(made, nameof(configuration));
        return First([made]);
    }

    /// <summary>Adds configurations to try right after the defaults, before the space is searched, in their order.</summary>
    /// <param name="configurations">They set options to values of the space; the others keep their defaults.</param>
    /// <exception cref="ArgumentException">An option is not of this space, or a value not among its values; the message names it.</exception>
    public SearchSpace<TOptions> First(IEnumerable<Configuration> configurations)
    {
        ArgumentNullException.ThrowIfNull(configurations);
        Configuration[] added = [.. configurations];
        foreach (var configuration in added)
        {
            ArgumentNullException.ThrowIfNull(configuration, nameof(configurations));
            if (Problem(configuration) is { } problem)
                throw new ArgumentException(problem, nameof(configurations));
        }

        return new(_entries, _first.AddRange(added));
    }

    /// <summary>The same space, with nothing to try before it is searched but the defaults.</summary>
    public SearchSpace<TOptions> WithoutPortfolio() => new(_entries, []);

    /// <summary>The values of a trial by the name of the option; of those whose condition does not hold there are none.</summary>
    /// <param name="place">A number within [0, 1) for each entry.</param>
    internal IReadOnlyDictionary<string, object?> At(IReadOnlyList<double> place) => Settle((entry, index) => (true, entry.ValueAt(place[index])));

    /// <summary>The configurations to begin with: the defaults, and those that are tried first as far as the space has them.</summary>
    internal IEnumerable<IReadOnlyDictionary<string, object?>> Beginning =>
        _first.Where(first => Problem(first) is null)
            .Select(first => first.Values)
            .Prepend(ImmutableDictionary<OptionMember, object?>.Empty)
            .Select(set => Settle((entry, _) =>
                !entry.IsFree ? (true, entry.ValueAt(0)) : set.TryGetValue(entry.Option, out var value) ? (true, value) : (false, null)));

    /// <summary>Options of a trial.</summary>
    internal TOptions Create(IReadOnlyDictionary<string, object?> values)
    {
        var options = new TOptions();
        foreach (var option in _entries.Select(entry => entry.Option).Distinct())
            if (values.TryGetValue(option.Name, out var value))
                option.Set(options, value);
        return options;
    }

    /// <summary>What all options of the space are in a trial, those that it leaves at their defaults too.</summary>
    internal IReadOnlyDictionary<string, object?> ValuesOf(IReadOnlyDictionary<string, object?> values)
    {
        var options = Create(values);
        return _entries.Where(entry => entry.Condition is null || values.ContainsKey(entry.Option.Name))
            .Select(entry => entry.Option).Distinct().ToDictionary(option => option.Name, option => option.Get(options));
    }

    /// <summary>All entries in words: two spaces with the same text are the same.</summary>
    public override string ToString() => string.Join("; ", _entries
        .Select(entry => $"{entry.Option.Name}: {entry}{(entry.Condition is { } when ? $" when {when.Text}" : "")}")
        .Concat(_first.Select(first => $"first {first}")));

    private static SpaceCondition Both(SpaceCondition outer, SpaceCondition? inner) => inner is null
        ? outer
        : new SpaceCondition(options => outer.Holds(options) && inner.Holds(options), $"{outer.Text} and {inner.Text}");

    /// <summary>What is wrong with a configuration; null for nothing.</summary>
    private string? Problem(Configuration configuration)
    {
        foreach (var (option, value) in configuration.Values)
        {
            SpaceEntry[] known = [.. _entries.Where(entry => entry.Option.Equals(option))];
            if (known.Length == 0)
                return $"{option.Name} is not in the space: give it a Range or Choice before it is tried.";
            if (!known.Any(entry => entry.Contains(value)))
                return $"{option.Name} = {OptionText.Of(value)} is not in the space, which has {string.Join(" or ", known.Select(entry => entry.ToString()))}.";
        }

        return null;
    }

    private SearchSpace<TOptions> With(SpaceEntry entry)
    {
        var others = _entries.Where(other => other.Option.Equals(entry.Option)).ToArray();
        if (others is [{ CanBeSaidAnew: true } begun] && entry.Condition is null)
            return new(_entries.SetItem(_entries.IndexOf(begun), entry), _first);
        if (others is [{ CanBeSaidAnew: true } said])
            return new(_entries.Remove(said).Add(entry), _first);
        if (others.Any(other => other.Condition is null || entry.Condition is null || other.Condition.Text == entry.Condition.Text))
            throw new ArgumentException(
                $"{entry.Option.Name} has been given values already, {others[0]}; now {entry}. Say it once, or in the branches of When alone.");
        return new(_entries.Add(entry), _first);
    }

    /// <summary>Takes a value for each entry whose condition holds.</summary>
    private Dictionary<string, object?> Settle(Func<SpaceEntry, int, (bool IsSet, object? Value)> choose)
    {
        var (options, values) = (new TOptions(), new Dictionary<string, object?>());
        for (var i = 0; i < _entries.Length; i++)
        {
            var entry = _entries[i];
            if (entry.Condition?.Holds(options) == false || choose(entry, i) is not (true, var value))
                continue;
            entry.Option.Set(options, value);
            values[entry.Option.Name] = value;
        }

        return values;
    }

    /// <summary>Values of options to try.</summary>
    public sealed class Configuration
    {
        /// <summary>Creates a configuration that leaves all options at their defaults.</summary>
        public Configuration()
            : this(ImmutableDictionary<OptionMember, object?>.Empty)
        {
        }

        internal Configuration(ImmutableDictionary<OptionMember, object?> values) => Values = values;

        /// <summary>The values.</summary>
        internal ImmutableDictionary<OptionMember, object?> Values { get; }

        /// <summary>Gives an option a value.</summary>
        /// <param name="option">The option.</param>
        /// <param name="value">The value.</param>
        /// <exception cref="ArgumentException">It is no option.</exception>
        public Configuration Set<T>(Expression<Func<TOptions, T>> option, T value)
        {
            var member = OptionMember.Of(option);
            return new(Values.SetItem(member, member.Convert(value)));
        }

        /// <summary>The values in words.</summary>
        public override string ToString() =>
            string.Join(", ", Values.OrderBy(set => set.Key.Name, StringComparer.Ordinal).Select(set => $"{set.Key.Name} = {OptionText.Of(set.Value)}"));
    }

    private sealed class ConditionalEntry : SpaceEntry
    {
        private readonly SpaceEntry _entry;

        public ConditionalEntry(SpaceEntry entry, SpaceCondition condition)
            : base(entry.Option) => (_entry, Condition) = (entry, condition);

        public override bool IsFree => _entry.IsFree;

        public override IEnumerable<object?> Extremes => _entry.Extremes;

        public override object? ValueAt(double place) => _entry.ValueAt(place);

        public override bool Contains(object? value) => _entry.Contains(value);

        public override string ToString() => _entry.ToString();
    }
}
