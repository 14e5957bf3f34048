using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Experiments.Studies.GeneratorTuning;

/// <summary>
/// Supervised fine-tuning of a language model on clean and on corrupted rows, with several routers: perplexity of clean rows by step, as
/// figure 5 of USMoE (arXiv 2503.22996).
/// </summary>
internal sealed class CorruptionStudy(Arguments arguments, DataFolder folder) : IStudy
{
    private const string Study = "corruption";
    private const string OwnRouter = "Token Choice, the model's own";
    private const double Alpha = 0.5;

    private static readonly string[] Routers =
        [OwnRouter, "Expert Choice, time step", "Unified, prefix", "Unified, time step"];

    private readonly TunedGenerator _tuning = new(arguments, folder, [DataFolder.Clinc150, DataFolder.Snips]);

    /// <inheritdoc/>
    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from data in _tuning.DataSets
        from corruption in RowCorruption.All
        from router in Routers
        select new Run(Key(data, corruption, router, seed), (engine, stop) => Execute(data, corruption, router, seed, engine, stop));

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Fine-tuning on clean and corrupted rows (figure 5 of USMoE)\n\n");
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{_tuning.Description} Perplexity of the clean test rows, mean ± standard error of the seeds {string.Join(", ", arguments.Seeds)}. "
            + $"Routers take Token Choice's place before the tuning, at the same budget; Unified has alpha {Alpha} and the model's own "
            + $"normalisation, Expert Choice weights its pairs with the probabilities. In scopes of a time step a result depends on which rows "
            + $"share a batch.").AppendLine();
        foreach (var data in _tuning.DataSets)
            text.AppendLine(CultureInfo.InvariantCulture, $"### {data}: perplexity by step\n").AppendLine(StepTable(log, data));
        text.AppendLine("### What corruption costs\n");
        text.AppendLine(
            "Perplexity after the last step: corrupted minus clean, and how that differs from the model's own router, paired by data set and "
            + "seed, p by Student's t-test for pairs, uncorrected.\n");
        return text.Append(CostTable(log)).ToString();
    }

    private string StepTable(RunLog log, string data)
    {
        var steps = _tuning.MeasuredSteps;
        var table = new MarkdownTable(["rows", "router", .. steps.Select(step => step.ToString(CultureInfo.InvariantCulture))]);
        foreach (var corruption in RowCorruption.All)
            foreach (var router in Routers)
                table.Add([
                    corruption.Name,
                    router,
                    .. steps.Select(step => SampleOf(corruption, router, step).Format(1, "F3", "F3")),
                ]);
        return table.ToString();

        Sample SampleOf(RowCorruption corruption, string router, int step) =>
            new([.. Values(log, [data], corruption, router, step).Values]);
    }

    private string CostTable(RunLog log)
    {
        var table = new MarkdownTable(["rows", "router", "corrupted − clean", "… minus that of the model's own router"]);
        foreach (var corruption in RowCorruption.All.Skip(1))
        {
            var own = Cost(corruption, OwnRouter);
            foreach (var router in Routers)
            {
                var cost = Cost(corruption, router);
                table.Add([
                    corruption.Name,
                    router,
                    new Sample([.. cost.Values]).Format(1, "+0.000;−0.000;0.000", "F3"),
                    router == OwnRouter ? "" : PairedTest.Of(cost, own).WithP(1, "+0.000;−0.000;0.000", "F3"),
                ]);
            }
        }

        return table.ToString();

        Dictionary<(string, int), double> Cost(RowCorruption corruption, string router)
        {
            var clean = Values(log, _tuning.DataSets, RowCorruption.None, router, _tuning.Steps);
            return Values(log, _tuning.DataSets, corruption, router, _tuning.Steps)
                .Where(value => clean.ContainsKey(value.Key))
                .ToDictionary(value => value.Key, value => value.Value - clean[value.Key]);
        }
    }

    private Dictionary<(string Data, int Seed), double> Values(
        RunLog log, IEnumerable<string> dataSets, RowCorruption corruption, string router, int step)
    {
        var found =
            from data in dataSets
            from seed in arguments.Seeds
            let result = log.Find(Key(data, corruption, router, seed))
            where result is not null
            select KeyValuePair.Create((data, seed), result.Values[TunedGenerator.PerplexityAfter(step)]);
        return found.ToDictionary();
    }

    private RunKey Key(string data, RowCorruption corruption, string router, int seed) =>
        new(Study, data, $"{router}; {corruption}", seed, _tuning.Settings);

    private Dictionary<string, double> Execute(
        string data, RowCorruption corruption, string router, int seed, Engine engine, CancellationToken stop)
    {
        var (generator, model) = _tuning.Load(engine);
        if (generator.IsEncoderDecoder)
            throw new UserException("The study needs a causal model: tokens of a decoder compete for experts apart from the encoder's.");
        var routed = model.WithRouting(RouterOf(router, model.Router));
        return _tuning.Tune(generator, routed, data, corruption, (null, FreezesRouter: false), seed, stop);
    }

    private static Router RouterOf(string name, Router own) => name switch
    {
        OwnRouter => own,
        "Expert Choice, time step" => Router.ExpertChoice(own.ExpertsPerToken, RoutingScope.TimeStep),
        "Unified, prefix" => Router.Unified(own.ExpertsPerToken, Alpha, RoutingScope.Prefix, own.Normalization),
        _ => Router.Unified(own.ExpertsPerToken, Alpha, RoutingScope.TimeStep, own.Normalization),
    };
}
