using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Routing;

/// <summary>By which slots the rows of an expert differ from all rows.</summary>
/// <param name="Layer">Number of the block, from 0.</param>
/// <param name="Expert">Number of the expert, from 0.</param>
/// <param name="ShareOfTokens">Share of the tokens, members of rows, that the expert was sent.</param>
/// <param name="Slots">The slots that differ most, the most different first.</param>
public sealed record ExpertSlots(int Layer, int Expert, double ShareOfTokens, IReadOnlyList<SlotShift> Slots);

/// <summary>How a slot differs between the rows of an expert and all rows.</summary>
/// <param name="Slot">Name of the slot, or its number.</param>
/// <param name="Shift">
/// Mean over the expert's tokens less the mean over all, in standard deviations: positive where the expert gets rows with larger values.
/// </param>
public sealed record SlotShift(string Slot, double Shift);

/// <summary>Measures by which slots experts' rows differ. Slots of the table of very many, and codes of categories, are left out.</summary>
internal sealed class ExpertSlotsObserver : IRoutingObserver
{
    private readonly FeatureInputConfig _config;
    private readonly int _experts;
    private readonly int _columns;
    private PassRows _pass = new();
    private readonly SortedDictionary<int, (double[] Sums, long[] Counts)> _layers = [];
    private readonly double[] _sums;
    private readonly double[] _squares;
    private float[][] _encoded = [];
    private long _count;

    public ExpertSlotsObserver(FeatureInputConfig config, int experts)
    {
        (_config, _experts, _columns) = (config, experts, config.Numbers.Length + config.Binaries.Length);
        (_sums, _squares) = (new double[_columns], new double[_columns]);
    }

    /// <summary>Begins rows that are scored next.</summary>
    public void Begin(IReadOnlyList<FeatureRow> rows)
    {
        _pass = new PassRows();
        _encoded = [.. rows.Select(Encode)];
        _count += rows.Count;
        foreach (var values in _encoded)
        {
            for (var i = 0; i < _columns; i++)
            {
                _sums[i] += values[i];
                _squares[i] += (double)values[i] * values[i];
            }
        }
    }

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        if (!_layers.TryGetValue(layer.Block, out var tally))
            _layers.Add(layer.Block, tally = (new double[_experts * _columns], new long[_experts]));
        var start = _pass.StartOf(layer);
        for (var expert = 0; expert < _experts; expert++)
        {
            var sums = tally.Sums.AsSpan(expert * _columns, _columns);
            foreach (var token in layer.Plan.TokensOf(expert))
            {
                var values = _encoded[start + token / _config.Members];
                for (var i = 0; i < _columns; i++)
                    sums[i] += values[i];
                tally.Counts[expert]++;
            }
        }
    }

    /// <summary>What was measured.</summary>
    /// <param name="top">Slots of each expert at most.</param>
    public IReadOnlyList<ExpertSlots> Build(int top)
    {
        int[] slots = [.. _config.Numbers.Select(n => n.Slot), .. _config.Binaries.Select(b => b.Slot)];
        var all = new List<ExpertSlots>();
        foreach (var (layer, (sums, counts)) in _layers)
        {
            for (var expert = 0; expert < _experts; expert++)
            {
                var shifts = new List<SlotShift>();
                for (var i = 0; i < _columns && counts[expert] > 0; i++)
                {
                    var mean = _sums[i] / _count;
                    var deviation = Math.Sqrt(Math.Max(0, _squares[i] / _count - mean * mean));
                    if (deviation > 0)
                        shifts.Add(new SlotShift(_config.NameOf(slots[i]), (sums[expert * _columns + i] / counts[expert] - mean) / deviation));
                }

                all.Add(new ExpertSlots(
                    layer,
                    expert,
                    counts[expert] / ((double)_count * _config.Members),
                    [.. shifts.OrderByDescending(shift => Math.Abs(shift.Shift)).Take(top)]));
            }
        }

        return all;
    }

    private float[] Encode(FeatureRow row)
    {
        var values = new float[_columns];
        for (var i = 0; i < _config.Numbers.Length; i++)
        {
            var number = _config.Numbers[i];
            values[i] = number.Scale(number.Complete(row[number.Slot]));
        }

        for (var i = 0; i < _config.Binaries.Length; i++)
            values[_config.Numbers.Length + i] = _config.Binaries[i].Scale(row[_config.Binaries[i].Slot]);
        return values;
    }
}

/// <summary>Tells by which slots the experts of a model of features get their rows.</summary>
internal static class ExpertSlotsReport
{
    /// <summary>Scores rows in batches.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">The rows; read once.</param>
    /// <param name="top">Slots of each expert at most, at least 1.</param>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public static IReadOnlyList<ExpertSlots> Of(Model<FeatureRow> model, IEnumerable<FeatureRow> rows, int top)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        model.Config.CheckRoutes();
        var observer = new ExpertSlotsObserver((FeatureInputConfig)model.Config.Input, model.Experts);
        foreach (var batch in rows.Chunk(ScoringPasses.Rows))
        {
            observer.Begin(batch);
            model.Score(batch, new float[batch.Length * model.Outputs], observer);
        }

        return observer.Build(top);
    }
}
