namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Runs a compiled regular expression over a text, going back where alternatives are left. For one thread.</summary>
internal ref struct PatternMatcher
{
    private const long StepsPerUnit = 1000;
    private const long FreeSteps = 10_000_000;
    private readonly PatternInstruction[] _program;
    private readonly ReadOnlySpan<char> _text;
    private readonly List<(int Step, int At, int Low)> _stack = [];
    private readonly Dictionary<int, int> _rounds = [];
    private long _steps;

    /// <summary>Creates a matcher for a text.</summary>
    public PatternMatcher(PatternInstruction[] program, ReadOnlySpan<char> text)
    {
        _program = program;
        _text = text;
        _steps = FreeSteps + StepsPerUnit * text.Length;
    }

    /// <summary>The first match that begins at an index or later.</summary>
    /// <exception cref="InvalidOperationException">The search takes too many steps.</exception>
    public bool Search(int from, out PatternMatch match)
    {
        for (var start = from; ; start++)
        {
            var end = Run(_program, start, -1);
            if (end >= 0)
            {
                match = new PatternMatch(start, end);
                return true;
            }

            if (start >= _text.Length)
            {
                match = default;
                return false;
            }

            if (char.IsHighSurrogate(_text[start]))
                start++;
        }
    }

    /// <summary>Runs a program.</summary>
    /// <param name="program">The program.</param>
    /// <param name="at">Where to begin.</param>
    /// <param name="end">Where a match has to end; −1 for anywhere.</param>
    /// <returns>End of the match; −1 for none.</returns>
    private int Run(PatternInstruction[] program, int at, int end)
    {
        var bottom = _stack.Count;
        var step = 0;
        while (true)
        {
            if (--_steps < 0)
                throw new InvalidOperationException("A regular expression of the tokenizer takes too long on this text.");
            ref readonly var instruction = ref program[step];
            var goesOn = true;
            switch (instruction.Operation)
            {
                case PatternOperation.Match:
                    if (goesOn = end < 0 || at == end)
                    {
                        _stack.RemoveRange(bottom, _stack.Count - bottom);
                        return at;
                    }

                    break;
                case PatternOperation.One:
                    var units = 0;
                    if (goesOn = at < _text.Length && instruction.Set!.Contains(CodePoints.At(_text, at, out units)))
                        (at, step) = (at + units, step + 1);
                    break;
                case PatternOperation.Many:
                    if (goesOn = TryTakeMany(instruction, step, ref at))
                        step++;
                    break;
                case PatternOperation.Split:
                    _stack.Add((instruction.Second, at, at));
                    step = instruction.First;
                    break;
                case PatternOperation.Jump:
                    step = instruction.First;
                    break;
                case PatternOperation.Place:
                    goesOn = IsAt((PatternPlace)instruction.First, at);
                    step++;
                    break;
                case PatternOperation.EnterRound:
                    _stack.Add((~instruction.First, _rounds.GetValueOrDefault(instruction.First, -1), 0));
                    _rounds[instruction.First] = at;
                    step++;
                    break;
                case PatternOperation.LeaveRound:
                    step = _rounds[instruction.First] == at ? instruction.Second : step + 1;
                    break;
                case PatternOperation.Atomic:
                    var inner = Run(instruction.Inner!, at, -1);
                    if (goesOn = inner >= 0)
                        (at, step) = (inner, step + 1);
                    break;
                case PatternOperation.Ahead:
                    goesOn = Run(instruction.Inner!, at, -1) >= 0 != instruction.IsNegative;
                    step++;
                    break;
                case PatternOperation.Behind:
                    goesOn = LooksBehind(instruction, at) != instruction.IsNegative;
                    step++;
                    break;
            }

            if (!goesOn && !TryGoBack(bottom, out step, out at))
                return -1;
        }
    }

    private readonly bool TryTakeMany(in PatternInstruction instruction, int step, ref int at)
    {
        var (next, low, count) = (at, at, 0);
        while (count < instruction.Second && next < _text.Length)
        {
            if (!instruction.Set!.Contains(CodePoints.At(_text, next, out var length)))
                break;
            next += length;
            if (++count == instruction.First)
                low = next;
        }

        if (count < instruction.First)
            return false;
        if (next > low)
            _stack.Add((step + 1, next, low));
        at = next;
        return true;
    }

    /// <summary>Takes the last alternative that is left.</summary>
    private readonly bool TryGoBack(int bottom, out int step, out int at)
    {
        while (_stack.Count > bottom)
        {
            (step, at, var low) = _stack[^1];
            _stack.RemoveAt(_stack.Count - 1);
            if (step < 0)
            {
                _rounds[~step] = at;
                continue;
            }

            if (at > low)
            {
                CodePoints.Before(_text, at, out var length);
                at -= length;
                if (at > low)
                    _stack.Add((step, at, low));
            }

            return true;
        }

        (step, at) = (0, 0);
        return false;
    }

    private bool LooksBehind(in PatternInstruction instruction, int at)
    {
        var start = at;
        for (var back = 0; back <= instruction.Second; back++)
        {
            if (back >= instruction.First && Run(instruction.Inner!, start, at) >= 0)
                return true;
            if (start == 0)
                return false;
            CodePoints.Before(_text, start, out var length);
            start -= length;
        }

        return false;
    }

    private readonly bool IsAt(PatternPlace place, int at) => place switch
    {
        PatternPlace.TextStart => at == 0,
        PatternPlace.TextEnd => at == _text.Length,
        PatternPlace.TextEndOrLastLineEnd => at == _text.Length || (at == _text.Length - 1 && _text[at] == '\n'),
        PatternPlace.LineStart => at == 0 || (_text[at - 1] == '\n' && at < _text.Length),
        PatternPlace.LineEnd => at == _text.Length || _text[at] == '\n',
        PatternPlace.WordBoundary => IsWordBoundary(at),
        _ => !IsWordBoundary(at),
    };

    private readonly bool IsWordBoundary(int at) =>
        (at > 0 && PatternClasses.IsWord(CodePoints.Before(_text, at, out _)))
        != (at < _text.Length && PatternClasses.IsWord(CodePoints.At(_text, at, out _)));
}
