namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Finds the length of a step along which a function descends enough and has become flat enough (the strong Wolfe conditions), by cubic and
/// quadratic interpolation within an interval that shrinks (Moré and Thuente 1994, "Line search algorithms with guaranteed sufficient
/// decrease"; the case numbers are theirs). The constants are those that L-BFGS-B uses.
/// </summary>
internal sealed class WolfeSearch
{
    /// <summary>The longest step.</summary>
    public const double LongestStep = 1e10;

    private const double SufficientDescent = 1e-3;
    private const double SufficientFlatness = 0.9;
    private const double SmallestInterval = 0.1;
    private const double ShortestExtrapolation = 1.1;
    private const double LongestExtrapolation = 4;
    private const double LargestShare = 0.66;

    private readonly Trial _start;
    private Trial _best;
    private Trial _other;
    private bool _isBracketed;
    private bool _isModified = true;
    private double _shortest;
    private double _longest;
    private double _width = LongestStep;
    private double _widthBefore = 2 * LongestStep;

    /// <summary>Starts a search.</summary>
    /// <param name="value">The function where the step starts.</param>
    /// <param name="slope">Its derivative along the step, below 0.</param>
    /// <param name="step">The first length to try.</param>
    public WolfeSearch(double value, double slope, double step)
    {
        _start = _best = _other = new Trial(0, value, slope);
        Step = step;
        _longest = step + (LongestExtrapolation * step);
    }

    /// <summary>The length to try.</summary>
    public double Step { get; private set; }

    /// <summary>Takes what was found at <see cref="Step"/>.</summary>
    /// <param name="value">The function there.</param>
    /// <param name="slope">Its derivative along the step there.</param>
    /// <returns>Whether the search ends with this step; else the next length is ready.</returns>
    public bool Ends(double value, double slope)
    {
        var wantedSlope = SufficientDescent * _start.Slope;
        var isLowEnough = value <= _start.Value + (Step * wantedSlope);
        if (_isModified && isLowEnough && slope >= 0)
            _isModified = false;
        if ((_isBracketed && (Step <= _shortest || Step >= _longest || _longest - _shortest <= SmallestInterval * _longest))
            || (Step == LongestStep && isLowEnough && slope <= wantedSlope)
            || (isLowEnough && Math.Abs(slope) <= SufficientFlatness * -_start.Slope))
            return true;

        var trial = new Trial(Step, value, slope);
        if (_isModified && value <= _best.Value && !isLowEnough)
        {
            // Not yet low enough: what is minimised is how far the function lies above the line of sufficient descent.
            (_best, _other) = (_best.Tilted(-wantedSlope), _other.Tilted(-wantedSlope));
            Narrow(trial.Tilted(-wantedSlope));
            (_best, _other) = (_best.Tilted(wantedSlope), _other.Tilted(wantedSlope));
        }
        else
        {
            Narrow(trial);
        }

        if (_isBracketed)
        {
            if (Math.Abs(_other.Step - _best.Step) >= LargestShare * _widthBefore)
                Step = _best.Step + (0.5 * (_other.Step - _best.Step));
            (_widthBefore, _width) = (_width, Math.Abs(_other.Step - _best.Step));
            (_shortest, _longest) = (Math.Min(_best.Step, _other.Step), Math.Max(_best.Step, _other.Step));
        }
        else
        {
            _shortest = Step + (ShortestExtrapolation * (Step - _best.Step));
            _longest = Step + (LongestExtrapolation * (Step - _best.Step));
        }

        Step = Math.Clamp(Step, 0, LongestStep);
        if (_isBracketed && (Step <= _shortest || Step >= _longest || _longest - _shortest <= SmallestInterval * _longest))
            Step = _best.Step;
        return false;
    }

    /// <summary>Chooses the next step and the interval that it lies in.</summary>
    private void Narrow(Trial trial)
    {
        var next = trial.Value > _best.Value ? AfterHigher(trial)
            : Math.Sign(trial.Slope) * Math.Sign(_best.Slope) < 0 ? AfterOppositeSlope(trial)
            : Math.Abs(trial.Slope) < Math.Abs(_best.Slope) ? AfterFlatter(trial)
            : AfterSteeper(trial);
        if (trial.Value > _best.Value)
        {
            _other = trial;
        }
        else
        {
            if (Math.Sign(trial.Slope) * Math.Sign(_best.Slope) < 0)
                _other = _best;
            _best = trial;
        }

        Step = next;
    }

    /// <summary>Case 1: the function is higher, so there is a minimum between.</summary>
    private double AfterHigher(Trial trial)
    {
        var span = trial.Step - _best.Step;
        var cubic = Cubic.Through(_best, trial);
        var gamma = trial.Step < _best.Step ? -cubic.Gamma : cubic.Gamma;
        var share = (gamma - _best.Slope + cubic.Theta) / (gamma - _best.Slope + gamma + trial.Slope);
        var byCubic = _best.Step + (share * span);
        var byQuadratic = _best.Step + (_best.Slope / (((_best.Value - trial.Value) / span) + _best.Slope) / 2 * span);
        _isBracketed = true;
        return Math.Abs(byCubic - _best.Step) <= Math.Abs(byQuadratic - _best.Step)
            ? byCubic
            : byCubic + ((byQuadratic - byCubic) / 2);
    }

    /// <summary>Case 2: lower, and it rises again: a minimum lies between too.</summary>
    private double AfterOppositeSlope(Trial trial)
    {
        var cubic = Cubic.Through(_best, trial);
        var gamma = trial.Step > _best.Step ? -cubic.Gamma : cubic.Gamma;
        var share = (gamma - trial.Slope + cubic.Theta) / (gamma - trial.Slope + gamma + _best.Slope);
        var byCubic = trial.Step + (share * (_best.Step - trial.Step));
        var bySecant = Secant(trial);
        _isBracketed = true;
        return Math.Abs(byCubic - trial.Step) > Math.Abs(bySecant - trial.Step) ? byCubic : bySecant;
    }

    /// <summary>Case 3: lower and flatter. The cubic counts only where it has its minimum beyond the trial.</summary>
    private double AfterFlatter(Trial trial)
    {
        var cubic = Cubic.Through(_best, trial);
        var gamma = trial.Step > _best.Step ? -cubic.Gamma : cubic.Gamma;
        var share = (gamma - trial.Slope + cubic.Theta) / (gamma + (_best.Slope - trial.Slope) + gamma);
        var byCubic = share < 0 && gamma != 0
            ? trial.Step + (share * (_best.Step - trial.Step))
            : trial.Step > _best.Step ? _longest : _shortest;
        var bySecant = Secant(trial);
        var isCubicCloser = Math.Abs(byCubic - trial.Step) < Math.Abs(bySecant - trial.Step);
        if (!_isBracketed)
        {
            var isCubicFarther = Math.Abs(byCubic - trial.Step) > Math.Abs(bySecant - trial.Step);
            return Math.Min(Math.Max(isCubicFarther ? byCubic : bySecant, _shortest), _longest);
        }

        var farthest = trial.Step + (LargestShare * (_other.Step - trial.Step));
        var next = isCubicCloser ? byCubic : bySecant;
        return trial.Step > _best.Step ? Math.Min(farthest, next) : Math.Max(farthest, next);
    }

    /// <summary>Case 4: lower and no flatter.</summary>
    private double AfterSteeper(Trial trial)
    {
        if (!_isBracketed)
            return trial.Step > _best.Step ? _longest : _shortest;
        var cubic = Cubic.Through(trial, _other);
        var gamma = trial.Step > _other.Step ? -cubic.Gamma : cubic.Gamma;
        var share = (gamma - trial.Slope + cubic.Theta) / (gamma - trial.Slope + gamma + _other.Slope);
        return trial.Step + (share * (_other.Step - trial.Step));
    }

    private double Secant(Trial trial) =>
        trial.Step + (trial.Slope / (trial.Slope - _best.Slope) * (_best.Step - trial.Step));

    private readonly record struct Trial(double Step, double Value, double Slope)
    {
        public Trial Tilted(double slope) => new(Step, Value + (Step * slope), Slope + slope);
    }

    /// <summary>The cubic through two trials, by the numbers that its minimum is computed from.</summary>
    private readonly record struct Cubic(double Theta, double Gamma)
    {
        public static Cubic Through(Trial from, Trial to)
        {
            var theta = (3 * (from.Value - to.Value) / (to.Step - from.Step)) + from.Slope + to.Slope;
            var scale = Math.Max(Math.Abs(theta), Math.Max(Math.Abs(from.Slope), Math.Abs(to.Slope)));
            var square = (theta / scale * (theta / scale)) - (from.Slope / scale * (to.Slope / scale));
            return new Cubic(theta, scale * Math.Sqrt(Math.Max(0, square)));
        }
    }
}
