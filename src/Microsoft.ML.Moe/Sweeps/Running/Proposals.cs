using Microsoft.ML.Moe.Sweeps.Schedule;
using Microsoft.ML.Moe.Sweeps.Space;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>
/// The configurations of a sweep by their numbers: the defaults, those that are to be tried first, then points of the space. None is there
/// twice. They follow from space and seed alone. For several threads.
/// </summary>
internal sealed class Proposals<TOptions>
    where TOptions : class, new()
{
    /// <summary>Points in a row without a new configuration after which the space counts as searched through.</summary>
    private const int MostRepeated = 1000;

    private readonly Lock _lock = new();
    private readonly SearchSpace<TOptions> _space;
    private readonly ScrambledPoints _points;
    private readonly List<IReadOnlyDictionary<string, object?>> _made = [];
    private readonly HashSet<string> _known = [];
    private int _next;

    public Proposals(SearchSpace<TOptions> space, int seed)
    {
        (_space, _points) = (space, new ScrambledPoints(space.Entries.Count, seed));
        foreach (var first in space.Beginning)
            Add(first);
    }

    /// <summary>A configuration; null when the space has no more.</summary>
    public IReadOnlyDictionary<string, object?>? this[int number]
    {
        get
        {
            lock (_lock)
            {
                for (var repeated = 0; _made.Count <= number && repeated < MostRepeated; repeated++)
                    if (Add(_space.At(_points[_next++])))
                        repeated = 0;
                return number < _made.Count ? _made[number] : null;
            }
        }
    }

    private bool Add(IReadOnlyDictionary<string, object?> values)
    {
        var options = _space.Create(values);
        var isNew = _known.Add(string.Join('\n', _space.Entries.Select(entry => OptionText.Of(entry.Option.Get(options)))));
        if (isNew)
            _made.Add(values);
        return isNew;
    }
}
