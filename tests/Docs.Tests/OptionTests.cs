using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Cluster;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Serving;
using Microsoft.ML.Moe.Training;

namespace Docs.Tests;

/// <summary>The tables of options name every option with the default that it has.</summary>
public sealed partial class OptionTests
{
    // what the shared tables tell the defaults of
    private static readonly MoeClassifierOptions Usual = new MoeImageClassificationTrainer.Options();

    [Theory]
    [InlineData("All trainers", typeof(MoeTrainerOptions))]
    [InlineData("Encoders of your own", typeof(MoeEncoderOptions))]
    [InlineData("Classifiers", typeof(MoeClassifierOptions))]
    public void Shared_options(string heading, Type type) => AssertTable(heading, Usual, type, differences: []);

    [Theory]
    [InlineData("Text classifier", typeof(MoeTextClassificationTrainer.Options))]
    [InlineData("Image classifier", typeof(MoeImageClassificationTrainer.Options))]
    [InlineData("Pretraining", typeof(MoeTextPretrainer.Options))]
    public void Options_of_a_trainer_and_what_it_has_other_defaults_for(string heading, Type type)
    {
        var options = Activator.CreateInstance(type)!;
        var different = Written(options, property => property.DeclaringType != type).Except(Written(Usual, _ => true));
        AssertTable(heading, options, type, different);
    }

    [Fact]
    public void Options_of_models_that_write()
    {
        var options = new MoeTextToTextTrainer.Options();
        AssertTable(
            "Models that write",
            options,
            typeof(MoeGeneratorOptions),
            Written(options, property => property.DeclaringType == typeof(MoeTrainerOptions)).Except(Written(Usual, _ => true)));
    }

    [Theory]
    [InlineData("Written text", typeof(MoeTextGeneratorOptions), typeof(MoeLanguageModelTrainer.Options))]
    [InlineData("Text to text", typeof(MoeTextToTextTrainer.Options), typeof(MoeTextToTextTrainer.Options))]
    [InlineData("Language models", typeof(MoeLanguageModelTrainer.Options), typeof(MoeLanguageModelTrainer.Options))]
    [InlineData("Classes as text", typeof(MoeTextToTextClassificationTrainer.Options), typeof(MoeTextToTextClassificationTrainer.Options))]
    [InlineData("Context windows", typeof(ContextWindows), typeof(ContextWindows))]
    public void Options_of_a_kind_of_model_that_writes(string heading, Type type, Type whole) =>
        AssertTable(heading, Activator.CreateInstance(whole)!, type, []);

    [Fact]
    public void Members_of_low_rank_adaptation() =>
        AssertTable("Low-rank adaptation", new LowRankAdaptation(), typeof(LowRankAdaptation), []);

    [Fact]
    public void Options_of_all_trainers_on_features()
    {
        var options = new MoeRegressionTrainer.Options();
        var different = Written(options, IsOfAllTrainers).Except(Written(Usual, IsOfAllTrainers));
        AssertTable("Features", options, typeof(MoeFeatureOptions), different);
    }

    [Theory]
    [InlineData("Feature classifier", typeof(MoeFeatureClassificationTrainer.Options))]
    [InlineData("Binary classifier", typeof(MoeBinaryClassificationTrainer.Options))]
    [InlineData("Regression", typeof(MoeRegressionTrainer.Options))]
    public void Options_of_a_trainer_on_features(string heading, Type type) => AssertTable(heading, Activator.CreateInstance(type)!, type, []);

    [Fact]
    public void Members_of_a_router() => AssertTable("Router", Router.Unified(), typeof(Router), []);

    [Fact]
    public void Members_of_a_global_workspace() =>
        AssertTable("Global workspace", new GlobalWorkspaceSettings(double.NaN), typeof(GlobalWorkspaceSettings), []);

    [Fact]
    public void Options_of_embeddings() => AssertTable("Embeddings", new EmbedTextOptions(), typeof(EmbedTextOptions), []);

    [Fact]
    public void Options_of_generation() => AssertTable("Generation", new GenerationOptions(), typeof(GenerationOptions), []);

    [Fact]
    public void Options_of_sweeps() => AssertTable("Sweeps", new SweepOptions(), typeof(SweepOptions), []);

    [Fact]
    public void Options_of_silos() => AssertTable("Silos", new MoeClusterOptions(), typeof(MoeClusterOptions), []);

    [Fact]
    public void Members_of_upcycling() => AssertTable("Upcycling", Upcycling.Copies(), typeof(Upcycling), []);

    [Fact]
    public void Members_of_fine_tuning() => AssertTable("Fine-tuning", FineTuning.Auto, typeof(FineTuning), []);

    [Fact]
    public void Options_of_text_generation() => AssertTable("Text generation", new GenerateTextOptions(), typeof(GenerateTextOptions), []);

    [Fact]
    public void Options_of_serving() => AssertTable("Serving", new MoeScorerOptions<string>(), typeof(MoeScorerOptions<string>), []);

    [Fact]
    public void Options_of_ONNX_files() => AssertTable("ONNX", new OnnxOptions(), typeof(OnnxOptions), []);

    [Fact]
    public void Members_of_corruptions()
    {
        AssertTable("Corrupted texts", new TextCorruption(), typeof(TextCorruption), []);
        AssertTable("Wrong labels", new LabelNoise(), typeof(LabelNoise), []);
    }

    [Theory]
    [InlineData("Classification of embeddings", typeof(EmbeddingClassificationOptions))]
    [InlineData("Clustering of embeddings", typeof(EmbeddingClusteringOptions))]
    [InlineData("Retrieval by embeddings", typeof(EmbeddingRetrievalOptions))]
    public void Options_of_an_evaluation(string heading, Type type) => AssertTable(heading, Activator.CreateInstance(type)!, type, []);

    private static bool IsOfAllTrainers(System.Reflection.PropertyInfo property) =>
        property.DeclaringType == typeof(MoeTrainerOptions) || property.DeclaringType == typeof(MoeEncoderOptions);

    private static void AssertTable(string heading, object options, Type type, IEnumerable<string> differences) =>
        Assert.Equal(Written(options, property => property.DeclaringType == type).Concat(differences).Order(), Rows(heading).Order());

    private static IEnumerable<string> Written(object options, Func<System.Reflection.PropertyInfo, bool> isListed) =>
        options.GetType().GetProperties().Where(property => !property.GetMethod!.IsStatic && isListed(property)).Select(property => $"{property.Name} {Written(property.GetValue(options))}");

    private static IEnumerable<string> Rows(string heading)
    {
        var page = new Page("docs/options.md").Text;
        var section = page.Split("\n## ").Single(section => section.StartsWith(heading + "\n", StringComparison.Ordinal));
        return OptionRow().Matches(section).Select(row => $"{row.Groups["name"]} {row.Groups["value"]}");
    }

    private static string Written(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        CancellationToken => "none",
        System.Collections.IEnumerable items and not string when !items.Cast<object>().Any() => "none",
        double.NaN => "required",
        Router router when router == Router.TokenChoice() => "Router.TokenChoice()",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    [GeneratedRegex(@"^\| `(?<name>\w+)` \| `?(?<value>[^|`]+?)`? \|", RegexOptions.Multiline)]
    private static partial Regex OptionRow();
}
