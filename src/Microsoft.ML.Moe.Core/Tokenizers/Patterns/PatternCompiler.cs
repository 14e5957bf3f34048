namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Kinds of <see cref="PatternInstruction"/>.</summary>
internal enum PatternOperation
{
    /// <summary>Ends the program with a match.</summary>
    Match,

    /// <summary>One code point of the set.</summary>
    One,

    /// <summary>As many code points of the set as there are, at least First and at most Second of them; fewer when going back.</summary>
    Many,

    /// <summary>Goes on at First; at Second when going back.</summary>
    Split,

    /// <summary>Goes on at First.</summary>
    Jump,

    /// <summary>The place First in the text.</summary>
    Place,

    /// <summary>Notes in slot First where a round of a loop begins.</summary>
    EnterRound,

    /// <summary>Leaves the loop for Second when the round that slot First notes consumed nothing.</summary>
    LeaveRound,

    /// <summary>The inner program, without going back into it.</summary>
    Atomic,

    /// <summary>The inner program from here on, consuming nothing.</summary>
    Ahead,

    /// <summary>The inner program up to here, First to Second code points long, consuming nothing.</summary>
    Behind,
}

/// <summary>One step of a compiled regular expression.</summary>
internal readonly record struct PatternInstruction(
    PatternOperation Operation,
    int First = 0,
    int Second = 0,
    CodePointSet? Set = null,
    PatternInstruction[]? Inner = null,
    bool IsNegative = false);

/// <summary>Turns a parsed regular expression into a program for <see cref="PatternMatcher"/>.</summary>
internal sealed class PatternCompiler
{
    private const int MaximumInstructions = 20_000;
    private const int MaximumPattern = 1 << 16;
    private readonly List<PatternInstruction> _program = [];
    private readonly PatternCompiler? _outer;
    private readonly string _where;
    private int _slots;

    private PatternCompiler(string where, PatternCompiler? outer = null) => (_where, _outer) = (where, outer);

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="InvalidDataException">It is not valid, not supported, or too large.</exception>
    public static PatternInstruction[] Compile(string pattern, string where)
    {
        if (pattern.Length > MaximumPattern)
            throw new InvalidDataException(
                $"{where}: a regular expression has {pattern.Length} characters; {MaximumPattern} are possible.");
        return new PatternCompiler(where).Program(new PatternParser(CodePoints.Repair(pattern), where).Parse());
    }

    private PatternInstruction[] Program(PatternNode node)
    {
        Add(node);
        Emit(new PatternInstruction(PatternOperation.Match));
        return [.. _program];
    }

    private PatternInstruction[] Inner(PatternNode node) => new PatternCompiler(_where, this).Program(node);

    private PatternCompiler Root => _outer?.Root ?? this;

    private int Emit(PatternInstruction instruction)
    {
        if (_program.Count >= MaximumInstructions)
            throw new InvalidDataException($"{_where}: a regular expression has more than {MaximumInstructions} steps.");
        _program.Add(instruction);
        return _program.Count - 1;
    }

    private void Add(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.Empty:
                break;
            case PatternNode.One one:
                Emit(new PatternInstruction(PatternOperation.One, Set: one.Set));
                break;
            case PatternNode.Sequence sequence:
                foreach (var part in sequence.Parts)
                    Add(part);
                break;
            case PatternNode.Choice choice:
                AddChoice(choice.Parts);
                break;
            case PatternNode.Repeat { Part: PatternNode.One one, IsLazy: false } repeat:
                Emit(new PatternInstruction(PatternOperation.Many, repeat.Least, repeat.Most, one.Set));
                break;
            case PatternNode.Repeat repeat:
                AddRepeat(repeat);
                break;
            case PatternNode.Place place:
                Emit(new PatternInstruction(PatternOperation.Place, (int)place.Kind));
                break;
            case PatternNode.Atomic atomic:
                Emit(new PatternInstruction(PatternOperation.Atomic, Inner: Inner(atomic.Part)));
                break;
            case PatternNode.Look look:
                var (least, most) = look.IsBehind ? Lengths(look.Part) : default;
                if (most == int.MaxValue)
                    throw new InvalidDataException($"{_where}: a regular expression looks behind without a bound, which is not supported.");
                Emit(new PatternInstruction(
                    look.IsBehind ? PatternOperation.Behind : PatternOperation.Ahead, least, most, null, Inner(look.Part),
                        look.IsNegative));
                break;
        }
    }

    private void AddChoice(IReadOnlyList<PatternNode> parts)
    {
        var ends = new List<int>();
        for (var i = 0; i < parts.Count; i++)
        {
            if (i == parts.Count - 1)
            {
                Add(parts[i]);
                break;
            }

            var split = Emit(default);
            Add(parts[i]);
            ends.Add(Emit(default));
            _program[split] = new PatternInstruction(PatternOperation.Split, split + 1, _program.Count);
        }

        foreach (var end in ends)
            _program[end] = new PatternInstruction(PatternOperation.Jump, _program.Count);
    }

    private void AddRepeat(PatternNode.Repeat repeat)
    {
        for (var i = 0; i < repeat.Least; i++)
            Add(repeat.Part);
        var splits = new List<int>();
        if (repeat.Most == int.MaxValue)
        {
            var slot = Root._slots++;
            splits.Add(Emit(default));
            Emit(new PatternInstruction(PatternOperation.EnterRound, slot));
            Add(repeat.Part);
            var leave = Emit(default);
            Emit(new PatternInstruction(PatternOperation.Jump, splits[0]));
            _program[leave] = new PatternInstruction(PatternOperation.LeaveRound, slot, _program.Count);
        }
        else
        {
            for (var i = repeat.Least; i < repeat.Most; i++)
            {
                splits.Add(Emit(default));
                Add(repeat.Part);
            }
        }

        foreach (var split in splits)
            _program[split] = repeat.IsLazy
                ? new PatternInstruction(PatternOperation.Split, _program.Count, split + 1)
                : new PatternInstruction(PatternOperation.Split, split + 1, _program.Count);
    }

    /// <summary>How many code points a part can match, at least and at most.</summary>
    private static (int Least, int Most) Lengths(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.One:
                return (1, 1);
            case PatternNode.Sequence sequence:
                return sequence.Parts.Select(Lengths).Aggregate((0, 0), (x, y) => (x.Item1 + y.Least, Sum(x.Item2, y.Most)));
            case PatternNode.Choice choice:
                var lengths = choice.Parts.Select(Lengths).ToList();
                return (lengths.Min(l => l.Least), lengths.Max(l => l.Most));
            case PatternNode.Repeat repeat:
                var (least, most) = Lengths(repeat.Part);
                var largest = (long)most * repeat.Most;
                return (least * repeat.Least, most == 0 ? 0 : most == int.MaxValue || largest >= int.MaxValue ? int.MaxValue
                    : (int)largest);
            case PatternNode.Atomic atomic:
                return Lengths(atomic.Part);
            default:
                return (0, 0);
        }
    }

    private static int Sum(int x, int y) => x == int.MaxValue || y == int.MaxValue ? int.MaxValue : x + y;
}
