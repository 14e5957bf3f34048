using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe;

/// <summary>
/// A published causal language model as <see cref="IChatClient"/>: conversations become the text that the model was trained on, and it is
/// computed in this process. Safe to use from several threads. It remembers nothing: each call gives the whole conversation.
/// </summary>
/// <remarks>
/// Of <see cref="ChatOptions"/> these count: <see cref="ChatOptions.Instructions"/>, <see cref="ChatOptions.MaxOutputTokens"/>,
/// <see cref="ChatOptions.Temperature"/> (0: the most probable tokens; another, <see cref="ChatOptions.TopP"/> or
/// <see cref="ChatOptions.TopK"/>: sampling), <see cref="ChatOptions.Seed"/> and <see cref="ChatOptions.StopSequences"/>. All other options
/// of generation are given by a <see cref="GenerationOptions"/> from <see cref="ChatOptions.RawRepresentationFactory"/>. What would change
/// the answer and is not supported, such as tools or a format of the response, is refused.
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// using IChatClient client = MoeChatClient.Create(PublishedModel.FromFolder("models/OLMoE-1B-7B-0924-Instruct"));
/// await foreach (var update in client.GetStreamingResponseAsync("Where does the river bend?"))
///     Console.Write(update.Text);
/// ]]></code>
/// </example>
public sealed class MoeChatClient : IChatClient
{
    private const string Provider = "MlNetMoe";
    private readonly MoeTextGenerationTransformer _generator;
    private readonly ChatTemplate _template;
    private readonly ChatClientMetadata _metadata;
    private readonly int[] _endTokens;

    private MoeChatClient(MoeTextGenerationTransformer generator, ChatTemplate template)
    {
        (_generator, _template) = (generator, template);
        _metadata = new ChatClientMetadata(Provider, defaultModelId: generator.ModelName);
        var tokenizer = generator.Generator.Files.Tokenizer.Inner;
        _endTokens = [.. template.EndTokens.Select(tokenizer.TokenId).Where(id => id >= 0)];
    }

    /// <summary>Loads a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">Device, weights, defaults of generation and more; null for what the model's own files say.</param>
    /// <param name="template">How it reads a conversation; null finds it out by the model's files.</param>
    /// <returns>The client. Dispose it to release the model's memory.</returns>
    /// <exception cref="ArgumentException">An option does not fit the model, or it is not causal.</exception>
    /// <exception cref="IOException">The model, or one of its files, is not there; the message says what to do.</exception>
    /// <exception cref="InvalidDataException">
    /// The model's files are damaged, or say something that is not supported, such as a chat_template of a format that is not known here.
    /// </exception>
    public static MoeChatClient Create(PublishedModel model, GenerateTextOptions? options = null, ChatTemplate? template = null)
    {
        // what cannot be is told before the weights are read
        template ??= ChatTemplate.Read(model.ResolveFolder());
        var ml = new MLContext();
        var nothing = ml.Data.LoadFromEnumerable(Array.Empty<Row>());
        var generator = ml.Transforms.Text.GenerateText(nameof(Row.Answer), nameof(Row.Prompt), model, options).Fit(nothing);
        try
        {
            return Create(generator, template);
        }
        catch
        {
            generator.Dispose();
            throw;
        }
    }

    /// <summary>Takes a fitted or loaded transformer, which the client disposes with itself.</summary>
    /// <param name="generator">The transformer, with a causal model.</param>
    /// <param name="template">How it reads a conversation; null finds it out by the files of its tokenizer.</param>
    /// <exception cref="ArgumentException">The model is not causal.</exception>
    /// <exception cref="InvalidDataException">Its chat_template is missing, or of a format that is not known here.</exception>
    public static MoeChatClient Create(MoeTextGenerationTransformer generator, ChatTemplate? template = null)
    {
        ArgumentNullException.ThrowIfNull(generator);
        if (generator.Generator.IsEncoderDecoder)
        {
            throw new ArgumentException(
                $"{generator.ModelName} is an encoder–decoder, which holds no conversations: use GenerateText.", nameof(generator));
        }

        template ??= ChatTemplateFile.Read(generator.Generator.Files.Tokenizer.Files, generator.ModelName);
        return new MoeChatClient(generator, template);
    }

    /// <summary>Answers a conversation, on a thread of the pool.</summary>
    /// <param name="messages">The conversation, of texts alone.</param>
    /// <param name="options">See the remarks; null for the model's defaults.</param>
    /// <param name="cancellationToken">Ends it between two tokens.</param>
    /// <returns>The answer, why it ended, and the numbers of tokens read and written.</returns>
    /// <exception cref="ArgumentException">
    /// The conversation does not fit the model, or an option asks for what it does not have; the message names it.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The client was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var (ids, generation) = Prepare(messages, options);
        return Task.Run(
            () =>
            {
                using var hold = Held();
                var answer = Generator(hold.Model, generation).Generate([ids], stop: cancellationToken)[0][0];
                GC.KeepAlive(hold);
                var id = NewId();
                return new ChatResponse(new ChatMessage(ChatRole.Assistant, answer.Text) { MessageId = id })
                {
                    ResponseId = id,
                    ModelId = _generator.ModelName,
                    CreatedAt = DateTimeOffset.UtcNow,
                    FinishReason = ReasonOf(answer.End),
                    Usage = UsageOf(ids.Length, answer.Tokens.Length),
                };
            },
            cancellationToken);
    }

    /// <summary>
    /// Answers a conversation, and gives the parts of the answer as they are made; the last one has why it ended, and the numbers of
    /// tokens.
    /// </summary>
    /// <param name="messages">The conversation, of texts alone.</param>
    /// <param name="options">See the remarks; null for the model's defaults.</param>
    /// <param name="cancellationToken">Ends it between two tokens; what was given stands.</param>
    /// <exception cref="ArgumentException">
    /// The conversation does not fit the model, or an option asks for what it does not have; the message names it.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The client was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var (ids, generation) = Prepare(messages, options);
        using var hold = Held();
        var (id, tokens) = (NewId(), 0);
        await foreach (var piece in Generator(hold.Model, generation).StreamAsync([ids], stop: cancellationToken).ConfigureAwait(false))
        {
            if (piece.Sequence > 0)
                continue;
            tokens += piece.Tokens.Count;
            var update = new ChatResponseUpdate(ChatRole.Assistant, piece.Text)
            {
                ResponseId = id,
                MessageId = id,
                ModelId = _generator.ModelName,
                CreatedAt = DateTimeOffset.UtcNow,
            };
            if (piece.End is { } end)
            {
                update.FinishReason = ReasonOf(end);
                update.Contents.Add(new UsageContent(UsageOf(ids.Length, tokens)));
            }

            if (piece.Text.Length > 0 || piece.End is not null)
                yield return update;
        }

        GC.KeepAlive(hold);
    }

    /// <summary>
    /// What can be asked for: this client, its <see cref="ChatClientMetadata"/>, its transformer, and its <see cref="ChatTemplate"/>.
    /// </summary>
    /// <param name="serviceType">The type that is wanted.</param>
    /// <param name="serviceKey">Must be null.</param>
    /// <returns>It, or null where there is no such service.</returns>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        return serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_generator) ? _generator
            : serviceType.IsInstanceOfType(_template) ? _template
            : null;
    }

    /// <summary>Releases the model.</summary>
    public void Dispose() => _generator.Dispose();

    private static string NewId() => Guid.NewGuid().ToString("N");

    private static ChatFinishReason ReasonOf(GenerationEnd end) =>
        end == GenerationEnd.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;

    private static UsageDetails UsageOf(int read, int written) =>
        new() { InputTokenCount = read, OutputTokenCount = written, TotalTokenCount = read + written };

    private static ChatTurn Turn(ChatMessage message) => message.Contents.All(content => content is TextContent)
        ? new ChatTurn(message.Role.Value, message.Text)
        : throw new ArgumentException(
            $"A message of the {message.Role.Value} holds something else than text, which is all that the model reads.", nameof(message));

    private ModelLease<Model<EncodedText>> Held() => (ModelLease<Model<EncodedText>>)_generator.Hold();

    private Generator Generator(Model<EncodedText> model, GenerationOptions options) =>
        new(TextGenerator.View(model), options, _generator.Generator.TextOf);

    private (int[] Ids, GenerationOptions Generation) Prepare(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var generation = ChatGeneration.Of(this, options, _generator)
            .WithOneAnswer($"use {nameof(MoeTextGenerationTransformer)}.{nameof(MoeTextGenerationTransformer.GenerateAll)}");
        List<ChatTurn> turns = [.. messages.Select(Turn)];
        if (!string.IsNullOrEmpty(options?.Instructions))
            turns.Insert(0, new ChatTurn(ChatTurn.System, options.Instructions));
        return (
            _generator.Generator.EncodeWhole(_template.Format(turns)),
            generation with { EndTokens = [.. generation.EndTokens.Union(_endTokens)] });
    }

    private sealed class Row
    {
        public string Prompt { get; set; } = "";

        public string Answer { get; set; } = "";
    }
}
