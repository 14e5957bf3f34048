using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>
/// Routers in place of a pretrained causal mixture's own, without training: what Unified (USMoE, arXiv 2503.22996) costs in bits per character at
/// fewer experts than the model was trained with, beside the two things that Token Choice can do; and experts drawn at random for uncertain tokens.
/// </summary>
internal sealed class TrainingFreeStudy(Arguments arguments) : IStudy
{
    private const string Study = "training-free";
    private const string ExpertsPerToken = "experts per token";
    private const int TestRows = 96;
    private const int Parts = 12;
    private const double LowThreshold = 0.5;

    private static readonly double[] Budgets = [2, 1.72, 1.5, 1.25, 1];

    private static IEnumerable<(string Name, double Budget, Router Router)> Variants
    {
        get
        {
            foreach (var budget in Budgets)
            {
                foreach (var alpha in new[] { 0, 0.3, 0.5, 1 })
                    yield return (
                        Invariant($"Unified prefix, α {alpha}, normalised"),
                        budget,
                        Router.Unified(budget, alpha, RoutingScope.Prefix, WeightNormalization.Selected));
                // the paper's scope: a token's experts depend on later ones, so what this measures cannot be had while writing
                foreach (var alpha in new[] { 0, 0.5 })
                {
                    yield return (
                        Invariant($"Unified sequence (sees later tokens), α {alpha}, normalised"),
                        budget,
                        Router.Unified(budget, alpha, RoutingScope.Sequence, WeightNormalization.Selected) with { AllowsLookahead = true });
                }

                yield return ("Unified prefix, α 0.5, raw", budget, Router.Unified(budget, scope: RoutingScope.Prefix));
            }

            // what brings the experts of a token to about the budgets is found by the table
            foreach (var threshold in new[] { 0.3, 0.5, 0.7, 0.9 })
            {
                yield return (
                    Invariant($"second expert only if p₂ ≥ {threshold}·p₁"), 0, Router.TokenChoice(2) with { SkipThreshold = threshold });
            }

            yield return ("top-1", 0, Router.TokenChoice(1, normalizeWeights: true));
        }
    }

    private static IEnumerable<(string Name, Func<Router, int, RoutingPolicy> Create)> RandomExperts =>
        from threshold in new[] { LowThreshold, FineTuningArm.PaperThreshold }
        from tokens in new[] { GlobalWorkspaceTokens.Uncertain, GlobalWorkspaceTokens.Random }
        select (
            Invariant($"random experts at H* = {threshold} ln N, ")
                + (tokens == GlobalWorkspaceTokens.Uncertain ? "uncertain tokens" : "as many arbitrary tokens"),
            (Func<Router, int, RoutingPolicy>)((router, experts) =>
                new RandomExperts(router.CreatePolicy(), threshold * Math.Log(experts), tokens, seed: 1)));

    /// <inheritdoc/>
    public IEnumerable<Run> Runs => [new Run(Key, Execute)];

    private RunKey Key => new(
        Study,
        "dotnet_ref_docs, dialogue_utterances",
        ModelFolder.NameOf(arguments.Model) ?? "",
        0,
        Invariant($"{TestRows} rows"));

    /// <inheritdoc/>
    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Routers without training on a pretrained causal mixture\n\n");
        if (log.Find(Key) is not { } result)
            return text.ToString();
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"Its own router (Token Choice, two experts, normalised) needs {result.Values["own 0"]:F4} bits per character on {TestRows} rows; "
            + $"differences to it, mean ± standard error over {Parts} parts of the rows.\n");
        var table = new MarkdownTable(["router", .. Budgets.Select(b => Invariant($"k {b}")), "experts per token"]);
        foreach (var group in Variants.GroupBy(v => v.Name))
        {
            var isOne = group.First().Budget == 0;
            table.Add([
                group.Key,
                .. isOne
                    ? Budgets.Select((_, i) => i == 0 ? Change(result, group.Key, 0) : "")
                    : Budgets.Select(budget => Change(result, group.Key, budget)),
                string.Join(
                    " / ", group.Select(v => result.Values[Name(group.Key, v.Budget, ExpertsPerToken)].ToString("F2", CultureInfo.InvariantCulture))),
            ]);
        }

        foreach (var (name, _) in RandomExperts)
            table.Add([name, Change(result, name, 0), .. Budgets.Skip(1).Select(_ => ""), ""]);
        text.Append(table).AppendLine();
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"Uncertain tokens: {result.Values["uncertain at 0.77"]:P1} at 0.77 ln N, {result.Values["uncertain at 0.5"]:P1} at 0.5 ln N.");
        return text.ToString();
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private static string Name(string variant, double budget, string value) => Invariant($"{variant}, {budget}: {value}");

    private static string Change(RunResult result, string variant, double budget) => new Sample([.. Enumerable.Range(1, Parts)
        .Select(part => result.Values[Name(variant, budget, Invariant($"part {part}"))] - result.Values[Invariant($"own {part}")])])
        .Format(1, "+0.0000;−0.0000;0.0000", "0.0000");

    private Dictionary<string, double> Execute(Engine engine, CancellationToken stop)
    {
        var (generator, model) = TextGenerator.Load(
            engine,
            arguments.Model
                ?? throw new UserException("--model is missing: the folder of a causal mixture, such as the one that pretrain-causal writes."),
            WeightPrecision.Float32,
            "causal");
        var rows = new CorpusRows(generator.Files.Tokenizer.Inner);
        var corpus = TextCorpus.Read(arguments.Data);
        var length = ((Models.Published.PublishedConfig)model.Config.Encoder).MaximumTokens;
        (IReadOnlyList<Example<EncodedText>> Rows, long Characters)[] parts =
        [
            .. Enumerable.Range(0, Parts).Select(part => rows.Causal(
                [.. corpus.Test.Select(lines => lines[(lines.Length * part / Parts)..(lines.Length * (part + 1) / Parts)])],
                length,
                TestRows / Parts)),
        ];
        var values = new Dictionary<string, double>();
        Add(part => Invariant($"own {part}"), null, model);
        foreach (var (name, budget, router) in Variants)
            Add(part => Name(name, budget, Invariant($"part {part}")), Name(name, budget, ExpertsPerToken), model.WithRouting(router));
        foreach (var (name, create) in RandomExperts)
            Add(part => Name(name, 0, Invariant($"part {part}")), null, model.WithPolicy(create(model.Router, model.Experts)));
        foreach (var threshold in new[] { LowThreshold, FineTuningArm.PaperThreshold })
        {
            var report = model.ReportRouting(
                parts.SelectMany(part => part.Rows.Select(row => row.Input)),
                new RoutingReportOptions { UncertainThreshold = threshold, SampledTokens = 0, TopTokens = 0 },
                stop);
            values.Add(Invariant($"uncertain at {threshold}"), report.Layers.Average(layer => layer.UncertainShare));
        }

        return values;

        void Add(Func<int, string> nameOf, string? experts, Model<EncodedText> measured)
        {
            stop.ThrowIfCancellationRequested();
            var results = parts.Select(part => TextModelTraining.Measure(measured, part.Rows, part.Characters)).ToArray();
            values.Add(nameOf(0), results.Zip(parts).Sum(r => r.First.BitsPerCharacter * r.Second.Characters) / parts.Sum(p => p.Characters));
            for (var part = 0; part < Parts; part++)
                values.Add(nameOf(part + 1), results[part].BitsPerCharacter);
            if (experts is not null)
                values.Add(experts, results.Average(r => r.ExpertsPerToken));
        }
    }
}
