using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Answers texts with a language model: what <see cref="MoeTextGenerationEstimator"/>, <see cref="MoeTextToTextTrainer"/> and
/// <see cref="MoeLanguageModelTrainer"/> give. Saved and loaded with <c>mlContext.Model</c>, without any registration: the zip carries
/// weights and tokenizer, or refers to the model's folder.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed partial class MoeTextGenerationTransformer : MoeTransformer, ISavedTransformer<MoeTextGenerationTransformer>
{
    private readonly TextGenerator _generator;
    private readonly RowWriter _writer;
    private readonly GeneratorSettings _settings;
    private readonly PromptRows _rows;

    private MoeTextGenerationTransformer(
        FittedModel model, TextGenerator generator, RowWriter writer, GeneratorSettings settings, PromptRows rows)
        : base(model, new GeneratedOutput(settings.Columns)) =>
        (_generator, _writer, _settings, _rows) = (generator, writer, settings, rows);

    /// <summary>What the model is called: its name on the hub, or its folder's path.</summary>
    public string ModelName => Model.Config.BaseModel?.Name ?? "";

    /// <summary>How texts are generated where nothing else is asked for.</summary>
    public GenerationOptions Generation => _writer.Options;

    static ModelRegistration ISavedTransformer<MoeTextGenerationTransformer>.Kind { get; } = new(
        "MOETXGEN",
        ModelRegistration.TextGenerationLoader,
        (folder, transformer) => ((MoeTextGenerationTransformer)transformer).Write(folder));

    internal override ModelRegistration Registration => KindOf<MoeTextGenerationTransformer>();

    /// <summary>Tokenizer and defaults.</summary>
    internal TextGenerator Generator => _generator;

    /// <summary>A whole prompt as the model reads it.</summary>
    internal EncodedText Encode(string prompt) => _rows.Encoder.EncodeText(prompt);

    /// <summary>Answers texts.</summary>
    /// <param name="prompts">
    /// The texts, whole prompts: words that a trainer's <see cref="PromptTemplate"/> puts around columns are not put around them.
    /// </param>
    /// <param name="options">How; null for <see cref="Generation"/>.</param>
    /// <param name="cancellationToken">Ends it between two tokens.</param>
    /// <returns>The best answer to each, in their order: of several that are drawn the most probable.</returns>
    /// <exception cref="ArgumentException">A prompt does not fit the model, or options contradict each other.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<GeneratedText> Generate(
        IReadOnlyList<string> prompts, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        [.. GenerateAll(prompts, options, cancellationToken).Select(answers => answers[0])];

    /// <summary>
    /// Answers texts, each several times: with as many answers as <see cref="GenerationOptions.SequencesPerPrompt"/> says, drawn one
    /// independently of the other, or the best beams.
    /// </summary>
    /// <param name="prompts">See <see cref="Generate"/>.</param>
    /// <param name="options">How; null for <see cref="Generation"/>.</param>
    /// <param name="cancellationToken">Ends it between two tokens.</param>
    /// <returns>
    /// All answers to each prompt, in the prompts' order, the best first: by their log-probability, of beam search by its score. Beam search
    /// gives fewer where it finds no more.
    /// </returns>
    /// <exception cref="ArgumentException">A prompt does not fit the model, or options contradict each other.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<IReadOnlyList<GeneratedText>> GenerateAll(
        IReadOnlyList<string> prompts, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        using var hold = Held();
        EncodedText[] encoded = [.. prompts.Select(prompt => Encode(prompt))];
        var complete = options is null ? _writer.Options : _generator.Complete(options);
        var written = _generator.Write(hold.Model, encoded, complete, _writer.BatchSize, measuresEntropy: false, stop: cancellationToken);
        return [.. written.Select(row => row.Answers)];
    }

    /// <summary>Answers a text, and gives the parts of the answer as they are made: whole characters, never a part of one.</summary>
    /// <param name="prompt">The text.</param>
    /// <param name="options">
    /// How, with one answer (<see cref="GenerationOptions.SequencesPerPrompt"/>); null for <see cref="Generation"/>. The answer of beam search
    /// comes at its end.
    /// </param>
    /// <param name="cancellationToken">Ends it between two tokens; what was given stands.</param>
    /// <exception cref="ArgumentException">The prompt does not fit the model, or options contradict each other.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async IAsyncEnumerable<string> GenerateStreaming(
        string prompt,
        GenerationOptions? options = null,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        using var hold = Held();
        var complete = (options is null ? _writer.Options : _generator.Complete(options)).WithOneAnswer($"use {nameof(GenerateAll)}");
        var ids = Encode(prompt).Ids!.Ids;
        var pieces = new Generator(TextGenerator.View(hold.Model), complete, _generator.TextOf).StreamAsync([ids], TextGenerator.NumberOf(ids), cancellationToken);
        await foreach (var piece in pieces.ConfigureAwait(false))
            if (piece is { Sequence: 0, Text.Length: > 0 })
                yield return piece.Text;
    }

    /// <summary>
    /// This transformer with another router over the same weights (USMoE without training, arXiv 2503.22996). Nothing is copied; both go on
    /// working side by side, each to be disposed.
    /// </summary>
    /// <param name="router">
    /// The router. Of a causal model, and in the decoder of an encoder–decoder, Unified is within <see cref="RoutingScope.Prefix"/> where its
    /// scope is a whole sequence, and other routers by which later tokens change what earlier ones get are refused, unless
    /// <see cref="Routing.Router.AllowsLookahead"/> allows them.
    /// </param>
    /// <exception cref="ArgumentException">
    /// The router does not fit the number of experts, or by it a later token changes what an earlier one gets.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public MoeTextGenerationTransformer WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        return Share(hold => new MoeTextGenerationTransformer(Model.WithRouting(router, hold), _generator, _writer, _settings, _rows));
    }

    /// <summary>
    /// Writes the model as a folder that Hugging Face's transformers loads, and <c>GenerateText</c> too: <c>config.json</c>,
    /// <c>model.safetensors</c>, <c>generation_config.json</c> and the tokenizer's files. A router that only this library has, as of
    /// <see cref="WithRouting"/>, is not in it: those who load the folder have the architecture's own.
    /// </summary>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <param name="weights">What the weights are in the file; bfloat16 halves it and rounds.</param>
    /// <exception cref="InvalidOperationException">
    /// Transformers has no form for the model, or it has adapters beside its weights, which <see cref="Merged"/> works into them; the message
    /// says what it is.
    /// </exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public void SaveHuggingFace(string folder, ElementType weights = ElementType.Float32)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        OptionCheck.Saved(weights, nameof(weights));
        using var hold = Held();
        GeneratorFolderWriter.Write(_generator, hold.Model, folder, weights);
    }

    /// <summary>
    /// This transformer with its adapters worked into the weights, W + scaling·(A·B): it writes as fast as without them, and its zip holds the
    /// weights. Weights that change are copied, in single precision where they are, else rounded to bfloat16; the others are shared. Both go on
    /// working side by side, each to be disposed.
    /// </summary>
    /// <exception cref="InvalidOperationException">The model has no adapters.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public MoeTextGenerationTransformer Merged() => Share(hold => new MoeTextGenerationTransformer(
        Model.Merged(hold), _generator, _writer, _settings with { Source = null, Weights = WeightPrecision.AsStored }, _rows));

    /// <summary>
    /// Writes the adapters that are beside the model's weights (<see cref="MoeGeneratorOptions.MergesAdapters"/> false, or
    /// <see cref="PublishedModel.WithAdapters"/>) as the library peft does: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.
    /// <see cref="PublishedModel.WithAdapters"/> reads them.
    /// </summary>
    /// <param name="folder">Path of the folder, which is made where it is not there.</param>
    /// <exception cref="InvalidOperationException">The model has no adapters.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public void SaveAdapters(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        using var hold = Hold();
        Model.SaveAdapters(folder);
    }

    /// <summary>Measures how well the model tells the texts of the input column: perplexity, bits per character.</summary>
    /// <param name="data">The table.</param>
    /// <param name="maximumTokens">
    /// Longest stretch that is read at once, at least 2; a longer text is read in several, of each of which the first token is not told.
    /// null, the default, for as much as the model reads, 1,024 at most.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing or not text, or the model cannot read so much.</exception>
    /// <exception cref="InvalidOperationException">The model is an encoder–decoder, or no text has two tokens.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public TextScore Evaluate(IDataView data, int? maximumTokens = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        CheckTellsTokens();
        using var hold = Held();
        return Measured(TextScoring.Measure(hold.Model, Texts(data), maximumTokens, observer: null, cancellationToken));
    }

    /// <summary>
    /// Finds the router by which the model, without training, tells the texts of the input column best at a wanted cost: among Token Choice
    /// with fewer experts, Token Choice that skips experts far behind a token's first, and Unified over the tokens so far with several
    /// shares of the experts' view.
    /// </summary>
    /// <param name="data">The table; some thousand tokens tell routers apart. Each router reads it once or twice.</param>
    /// <param name="expertsPerToken">Mean number of experts that a token may be sent to, within [1, N].</param>
    /// <param name="maximumTokens">See <see cref="Evaluate(IDataView, int?, CancellationToken)"/>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>
    /// Routers that cost no more, for <see cref="WithRouting"/>; the one with the least loss first. The model's own is among them where it
    /// costs no more, and is the only one where none does.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The number of experts is impossible, or the column is missing or not text.</exception>
    /// <exception cref="InvalidOperationException">
    /// The model has no MoE layers, or is an encoder–decoder; or no text has two tokens.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<RouterScore> CalibrateRouting(
        IDataView data, double expertsPerToken, int? maximumTokens = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        CheckTellsTokens();
        using var hold = Held();
        var scores = RoutingCalibration.Find(hold.Model, [.. Texts(data)], expertsPerToken, maximumTokens, cancellationToken);
        return [.. scores.Select(s => s with { Score = Measured(s.Score) })];
    }

    /// <summary>Tells what the routers do with the prompts of a table.</summary>
    /// <param name="data">The table.</param>
    /// <param name="options">What the report shall hold; null for the defaults.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public RoutingReport ReportRouting(
        IDataView data, RoutingReportOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        using var hold = Hold();
        return Model.ReportRouting(data, options, cancellationToken);
    }

    static MoeTextGenerationTransformer ISavedTransformer<MoeTextGenerationTransformer>.Read(ModelFolderReader folder) =>
        Read(JsonEntry.Read<GenerationColumns>(folder, ModelZip.Columns, ModelZip.MaximumJsonLength), folder);

    /// <summary>Makes the transformer, which owns the model from then on.</summary>
    internal static MoeTextGenerationTransformer Create(
        SharedModel<Model<EncodedText>> shared, TextGenerator generator, RowWriter writer, GeneratorSettings settings)
    {
        var rows = new PromptRows(settings.CreateEncoder(generator));
        return new MoeTextGenerationTransformer(
            new FittedModel<EncodedText>(shared, rows, writer.CreateResults), generator, writer, settings, rows);
    }

    private void CheckTellsTokens()
    {
        if (_generator.IsEncoderDecoder)
            throw new InvalidOperationException($"{ModelName} answers a text with another: it tells no text that is there already.");
    }

    private static TextScore Measured(TextScore score) => score.Tokens > 0
        ? score
        : throw new InvalidOperationException("No text of the table has two tokens: there is nothing to tell.");

    private IEnumerable<(int[] Ids, int Characters)> Texts(IDataView data) =>
        _rows.Read(data).Select(text => (_generator.Encode(text).Ids!.Ids, TextScore.CharactersOf(text)));

    private ModelLease<Model<EncodedText>> Held() => (ModelLease<Model<EncodedText>>)Hold();

    private static MoeTextGenerationTransformer Read(GenerationColumns columns, ModelFolderReader folder) =>
        GeneratorZip.Read(folder, (shared, generator, state) => columns.Input is null == state.Prompt is not null
            ? Create(
                shared,
                generator,
                new RowWriter(generator, state.Options, state.BatchSize, state.Prompt?.Windows?.Answer ?? default),
                new GeneratorSettings(columns, state.MaximumPromptTokens, state.Weights, state.Source, state.Prompt))
            : throw new InvalidDataException($"{ModelZip.Columns} does not fit what the model reads: the model file is damaged."));

    private void Write(ModelFolderWriter folder)
    {
        JsonEntry.Write(folder, ModelZip.Columns, _settings.Columns);
        GeneratorZip.Write(
            folder,
            Model,
            _generator,
            new GeneratorState(
                _writer.Options, _writer.BatchSize, _settings.MaximumPromptTokens, _settings.Weights, _settings.Source, _settings.Prompt));
    }
}
