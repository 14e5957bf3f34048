using Microsoft.ML.Moe.Training;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

/// <summary>
/// Spaces to begin with, of the options that matter most on few rows as on many; each with some configurations that are tried right after the
/// defaults. What does not suit can be said anew, as in <c>SearchSpaces.Text.Fix(o => o.Dropout, 0.1f)</c>.
/// </summary>
public static class SearchSpaces
{
    /// <summary>A space of the defaults alone, to which ranges and choices are added.</summary>
    /// <typeparam name="TOptions">Class of the options.</typeparam>
    public static SearchSpace<TOptions> Empty<TOptions>()
        where TOptions : class, new() => SearchSpace<TOptions>.Empty;

    /// <summary>
    /// The space that attributes of the options say: <see cref="RangeAttribute"/>, <see cref="ChoiceAttribute"/> and
    /// <see cref="BooleanChoiceAttribute"/>, which Microsoft.ML.AutoML reads too. What they say can be said anew.
    /// </summary>
    /// <typeparam name="TOptions">Class of the options.</typeparam>
    /// <exception cref="ArgumentException">An attribute does not fit its option; the message names it.</exception>
    public static SearchSpace<TOptions> FromAttributes<TOptions>()
        where TOptions : class, new() => SearchSpace<TOptions>.FromAttributes();

    /// <summary>Options of <see cref="MoeTextClassificationTrainer"/>, without a published encoder.</summary>
    public static SearchSpace<MoeTextClassificationTrainer.Options> Text { get; } =
        SearchSpace<MoeTextClassificationTrainer.Options>.FromAttributes()
            .First(Portfolio.Text);

    /// <summary>
    /// Options of <see cref="MoeTextClassificationTrainer"/> over a published encoder: how many of its layers are trained, and what stands beside it.
    /// </summary>
    /// <param name="encoder">The encoder.</param>
    public static SearchSpace<MoeTextClassificationTrainer.Options> PublishedText(PublishedEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        return SearchSpace<MoeTextClassificationTrainer.Options>.Empty
            .Fix(o => o.Encoder, encoder)
            .Choice(o => o.FineTuning, FineTuning.Auto, FineTuning.None, FineTuning.TopLayers(2), FineTuning.TopLayers(4), FineTuning.AllLayers)
            .Choice(o => o.LinearBranch, true, false)
            .Range(o => o.LabelSmoothing, 0f, 0.2f)
            .AsBeginning();
    }

    /// <summary>Options of <see cref="MoeTextToTextTrainer"/>.</summary>
    /// <param name="model">The model that training begins with.</param>
    public static SearchSpace<MoeTextToTextTrainer.Options> TextToText(PublishedModel model) =>
        OfGenerators<MoeTextToTextTrainer.Options>(model, 1e-5f, 1e-3f)
            .First(Portfolio.TextToText);

    /// <summary>
    /// Options of <see cref="MoeLanguageModelTrainer"/> that trains the weights themselves; with
    /// <see cref="MoeGeneratorOptions.Adaptation"/> higher rates are usual, which can be said anew.
    /// </summary>
    /// <param name="model">The model that training begins with.</param>
    public static SearchSpace<MoeLanguageModelTrainer.Options> LanguageModel(PublishedModel model) =>
        OfGenerators<MoeLanguageModelTrainer.Options>(model, 3e-6f, 3e-4f)
            .First(Portfolio.LanguageModel);

    /// <summary>Options of <see cref="MoeImageClassificationTrainer"/>; no block at all among the numbers of blocks.</summary>
    public static SearchSpace<MoeImageClassificationTrainer.Options> Images { get; } =
        SearchSpace<MoeImageClassificationTrainer.Options>.FromAttributes()
            .Choice(o => o.Layers, 0, 1, 2, 3)
            .AsBeginning()
            .First(Portfolio.Images);

    /// <summary>Options of <see cref="MoeFeatureClassificationTrainer"/>.</summary>
    public static SearchSpace<MoeFeatureClassificationTrainer.Options> Tables { get; } =
        OfFeatures<MoeFeatureClassificationTrainer.Options>();

    /// <summary>Options of <see cref="MoeBinaryClassificationTrainer"/>.</summary>
    public static SearchSpace<MoeBinaryClassificationTrainer.Options> BinaryTables { get; } = OfFeatures<MoeBinaryClassificationTrainer.Options>();

    /// <summary>Options of <see cref="MoeRegressionTrainer"/>.</summary>
    public static SearchSpace<MoeRegressionTrainer.Options> RegressionTables { get; } = OfFeatures<MoeRegressionTrainer.Options>();

    private static SearchSpace<T> OfGenerators<T>(PublishedModel model, float leastRate, float greatestRate)
        where T : MoeGeneratorOptions, new()
    {
        ArgumentNullException.ThrowIfNull(model);
        return SearchSpace<T>.Empty
            .Fix(o => o.Model, model)
            .Range(o => o.LearningRate, leastRate, greatestRate, log: true)
            .Range(o => o.WeightDecay, 1e-3f, 0.3f, log: true)
            .Choice(o => o.Dropout, null, 0f, 0.1f)
            .Choice(o => o.BatchSize, 16, 8, 32)
            .AsBeginning();
    }

    // One block alone, as members have nothing to tell each other; no attention, so no heads.
    private static SearchSpace<T> OfFeatures<T>()
        where T : MoeFeatureOptions, new() => SearchSpace<T>.FromAttributes()
        .Fix(o => o.Layers, new T().Layers)
        .Range(o => o.WeightDecay, 1e-5f, 1e-1f, log: true)
        .Choice(o => o.Experts, 4, 8, 16)
        .AsBeginning()
        .First(Portfolio.Tables<T>());

    /// <summary>
    /// The configurations that these spaces try right after the defaults, to add to a space of one's own by
    /// <see cref="SearchSpace{TOptions}.First(IEnumerable{SearchSpace{TOptions}.Configuration})"/>. docs/sweeps.md says which have been compared with the defaults.
    /// </summary>
    public static class Portfolio
    {
        /// <summary>Of <see cref="SearchSpaces.Text"/>.</summary>
        public static IReadOnlyList<SearchSpace<MoeTextClassificationTrainer.Options>.Configuration> Text { get; } =
        [
            Of<MoeTextClassificationTrainer.Options>().Set(o => o.LearningRate, 2e-3f).Set(o => o.Dropout, 0.3f),
            Of<MoeTextClassificationTrainer.Options>().Set(o => o.LearningRate, 5e-4f).Set(o => o.EmbeddingLearningRate, 5e-3f),
            Of<MoeTextClassificationTrainer.Options>().Set(o => o.Layers, 1).Set(o => o.LearningRate, 2e-3f),
        ];

        /// <summary>Of <see cref="SearchSpaces.Images"/>.</summary>
        public static IReadOnlyList<SearchSpace<MoeImageClassificationTrainer.Options>.Configuration> Images { get; } =
        [
            Of<MoeImageClassificationTrainer.Options>().Set(o => o.Layers, 0),
            Of<MoeImageClassificationTrainer.Options>().Set(o => o.LearningRate, 4e-3f),
        ];

        /// <summary>Of <see cref="SearchSpaces.TextToText"/>.</summary>
        public static IReadOnlyList<SearchSpace<MoeTextToTextTrainer.Options>.Configuration> TextToText { get; } =
        [
            Of<MoeTextToTextTrainer.Options>().Set(o => o.LearningRate, 1e-4f),
            Of<MoeTextToTextTrainer.Options>().Set(o => o.LearningRate, 3e-4f),
        ];

        /// <summary>Of <see cref="SearchSpaces.LanguageModel"/>.</summary>
        public static IReadOnlyList<SearchSpace<MoeLanguageModelTrainer.Options>.Configuration> LanguageModel { get; } =
        [
            Of<MoeLanguageModelTrainer.Options>().Set(o => o.LearningRate, 2e-5f),
            Of<MoeLanguageModelTrainer.Options>().Set(o => o.LearningRate, 1e-4f),
        ];

        /// <summary>Of <see cref="SearchSpaces.Tables"/>, <see cref="BinaryTables"/> and <see cref="RegressionTables"/>.</summary>
        /// <typeparam name="TOptions">Class of the options.</typeparam>
        public static IReadOnlyList<SearchSpace<TOptions>.Configuration> Tables<TOptions>()
            where TOptions : MoeFeatureOptions, new() =>
        [
            Of<TOptions>().Set(o => o.Members, 16),
            Of<TOptions>().Set(o => o.LearningRate, 1e-3f).Set(o => o.Dropout, 0.2f),
        ];

        private static SearchSpace<TOptions>.Configuration Of<TOptions>()
            where TOptions : class, new() => new();
    }
}
