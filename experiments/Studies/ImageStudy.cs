using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>
/// Images from scratch: convolutions alone; and behind them dense blocks, Token Choice, Expert Choice, Unified and Soft MoE at equal cost; clean,
/// corrupted and attacked; and, where masks are known, how well experts tell objects from background.
/// </summary>
internal sealed class ImageStudy(Arguments arguments) : IStudy
{
    private const string Name = "images";
    private const string Clean = "accuracy";
    private const string Corrupted = "mean corruption error";
    private const string Trained = "separation";
    private const string Untrained = "separation untrained";
    private const int Layers = 1;
    private const int Experts = 8;
    private const int ExpertWidth = 128;

    /// <summary>Test rows that are corrupted and attacked.</summary>
    private const int AttackedRows = 200;

    private static readonly AdversarialAttack[] Attacks =
    [
        AdversarialAttack.FastGradientSign(4.0 / 255), AdversarialAttack.ProjectedGradient(4.0 / 255, steps: 10),
        AdversarialAttack.ProjectedGradient(0.5, AttackNorm.L2, steps: 10),
    ];

    private static readonly (string Name, int Layers, Router? Router)[] Arms =
    [
        ("convolutions alone", 0, null), ("dense", Layers, null), ("Token Choice", Layers, Router.TokenChoice(1)),
        ("Expert Choice", Layers, Router.ExpertChoice(1)), ("Unified", Layers, Router.Unified(1)),
        // as many slots as tokens, 64, cost what a dense block does
        ("Soft", Layers, Router.Soft(64 / Experts)),
    ];

    private IReadOnlyList<string> Sets => arguments.Sets ?? [ImageSet.FashionMnist, ImageSet.Trashnet, ImageSet.Shapes];

    public IEnumerable<Run> Runs =>
        from seed in arguments.Seeds
        from data in Sets
        from arm in Arms
        select new Run(Key(data, arm.Name, seed), (engine, stop) => Execute(data, arm.Layers, arm.Router, seed, engine, stop));

    public string Report(RunLog log)
    {
        var text = new StringBuilder("## Images from scratch: dense, sparse and soft mixtures at equal cost\n\n");
        text.AppendLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Mean ± standard error of the seeds {string.Join(", ", arguments.Seeds)}, in per cent. Convolutions, then {Layers} block, "
            + $"{Experts} experts of {ExpertWidth}, one for each token; dense blocks as wide as one expert; no block after convolutions alone. Corrupted and attacked: "
            + $"{AttackedRows} test rows at most; sizes of attacks are of values within [0, 1]. Separation: adjusted mutual information of a patch's expert in the last block with the mask."));
        text.AppendLine();
        foreach (var data in Sets)
        {
            var table = new MarkdownTable(["", Clean, Corrupted, .. Attacks.Select(attack => attack.ToString()), Trained, Untrained]);
            foreach (var (name, _, _) in Arms)
            {
                table.Add(
                [
                    name, Cell(Clean), Cell(Corrupted), .. Attacks.Select(attack => Cell(attack.ToString())), Cell(Trained), Cell(Untrained),
                ]);

                string Cell(string value)
                {
                    double[] values =
                    [
                        .. arguments.Seeds.Select(seed => log.Find(Key(data, name, seed)))
                            .Where(result => result?.Values.ContainsKey(value) == true).Select(result => result!.Values[value]),
                    ];
                    return values.Length == 0 ? "–" : new Sample(values).InPercent();
                }
            }

            text.AppendLine(CultureInfo.InvariantCulture, $"### {data}\n").AppendLine(table.ToString());
        }

        return text.ToString();
    }

    private RunKey Key(string data, string arm, int seed) => new(
        Name, data, arm, seed, string.Create(CultureInfo.InvariantCulture, $"epochs {arguments.Epochs} rows {arguments.Rows}"));

    private Dictionary<string, double> Execute(
        string data, int layers, Router? router, int seed, Engine engine, CancellationToken stop)
    {
        var set = ImageSet.Load(arguments.Data, data, arguments.Rows);
        var config = new ImageClassifierConfig
        {
            Encoder = new()
            {
                Layers = layers,
                MoeEvery = router is null ? 0 : 1,
                Experts = Experts,
                ExpertWidth = ExpertWidth,
                DenseWidth = ExpertWidth,
                Router = router ?? Router.TokenChoice(1),
                Dropout = 0.1f,
            },
            Augmentation = set.Augmentation,
            Training = new TrainingConfig { MaxEpochs = arguments.Epochs, Seed = seed },
        };
        var model = new ImageClassifierTrainer(config, set.Input, set.Classes, engine).Train(set.Training, stop: stop);
        var values = new Dictionary<string, double> { [Clean] = model.Measure(set.Test).Metric };
        var measured = Robustness.Measure(
            model, [.. set.Test.Take(AttackedRows)], new RobustnessOptions { Attacks = Attacks, Seed = seed }, stop);
        values[Corrupted] = measured.MeanCorruptionError;
        foreach (var (attack, accuracy) in measured.Attacks)
            values[attack.ToString()] = accuracy;
        if (set.Masks is { } masks && router is { Kind: not RouterKind.Soft })
        {
            var grid = ((PatchInput)model.Input).Grid;
            ImagePixels[] images = [.. set.Test.Select(row => row.Input)];
            bool[][] objects = [.. masks.Select(mask => grid.Showing(mask, 0.5))];
            values[Trained] = PatchExperts.Of(model, router, images).Separation(Layers - 1, objects);
            values[Untrained] = PatchExperts.Of(model.Untrained(seed), router, images).Separation(Layers - 1, objects);
        }

        return values;
    }
}
