using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.TextGeneration;

public sealed class ChatClientTests : IDisposable
{
    private const string Template = "{% for message in messages %}{{ 'User: ' + message['content'] + '\n\n' }}{{ 'Assistant: ' + message['content'] + eos_token }}";
    private static readonly GenerateTextOptions Cpu = new() { Device = MoeDevice.Cpu };
    private static readonly ChatMessage[] Talk =
    [
        new(ChatRole.System, "be brief"), new(ChatRole.User, "where to"), new(ChatRole.Assistant, "the sea"), new(ChatRole.User, "and then"),
    ];

    private readonly TemporaryFolder _folder = new();
    private readonly MoeChatClient _client;

    public ChatClientTests()
    {
        var config = TinyCausal.Olmoe.Replace("\"max_position_embeddings\": 64", "\"max_position_embeddings\": 128", StringComparison.Ordinal);
        TinyCausal.Write(_folder.Path, config, generation: """{ "eos_token_id": 1, "max_new_tokens": 12 }""");
        File.WriteAllText(
            _folder["tokenizer_config.json"], JsonSerializer.Serialize(new { bos_token = "<s>", eos_token = "</s>", chat_template = Template }));
        _client = MoeChatClient.Create(PublishedModel.FromFolder(_folder.Path), Cpu);
    }

    public void Dispose()
    {
        _client.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task AConversationIsAnsweredAsTheTextThatItBecomes()
    {
        var response = await _client.GetResponseAsync(Talk);

        var transformer = _client.GetService<MoeTextGenerationTransformer>()!;
        var prompt = _client.GetService<ChatTemplate>()!.Format([.. Talk.Select(m => new ChatTurn(m.Role.Value, m.Text))]);
        Assert.Equal("be brief\n\nUser: where to\n\nAssistant: the sea</s>User: and then\n\nAssistant:", prompt);
        var expected = transformer.Generate([prompt])[0];
        Assert.Equal(expected.Text, response.Text);
        Assert.Equal(ChatRole.Assistant, Assert.Single(response.Messages).Role);
        Assert.Equal(expected.Tokens.Count, response.Usage!.OutputTokenCount);
        Assert.Equal(transformer.Generator.EncodeWhole(prompt).Length, response.Usage.InputTokenCount);
        Assert.Equal(expected.End == GenerationEnd.Length ? ChatFinishReason.Length : ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal(_folder.Path, response.ModelId);
        Assert.Equal(_folder.Path, _client.GetService<ChatClientMetadata>()!.DefaultModelId);
    }

    [Fact]
    public async Task AStreamGivesTheSameInParts()
    {
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in _client.GetStreamingResponseAsync(Talk))
            updates.Add(update);

        var response = await _client.GetResponseAsync(Talk);
        var streamed = updates.ToChatResponse();
        Assert.True(updates.Count > 1);
        Assert.Equal(response.Text, streamed.Text);
        Assert.Equal(response.FinishReason, streamed.FinishReason);
        Assert.Equal(response.Usage!.OutputTokenCount, streamed.Usage!.OutputTokenCount);
        Assert.Equal(response.Usage.InputTokenCount, streamed.Usage.InputTokenCount);
        Assert.Single(updates.Select(u => u.ResponseId).Distinct());
    }

    [Fact]
    public async Task AChatHasOneAnswer()
    {
        var several = new ChatOptions
        {
            RawRepresentationFactory = _ => new GenerationOptions { MaximumNewTokens = 4, Sample = true, SequencesPerPrompt = 2 },
        };
        var failure = await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync(Talk, several));
        Assert.Contains(nameof(GenerationOptions.SequencesPerPrompt), failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OptionsCount()
    {
        var plain = await _client.GetResponseAsync(Talk);
        Assert.Equal(3, (await _client.GetResponseAsync(Talk, new ChatOptions { MaxOutputTokens = 3 })).Usage!.OutputTokenCount);
        Assert.Equal(plain.Text, (await _client.GetResponseAsync(Talk, new ChatOptions { Temperature = 0f, ModelId = _folder.Path })).Text);
        var stop = plain.Text[1..3];
        var cut = await _client.GetResponseAsync(Talk, new ChatOptions { StopSequences = [stop] });
        Assert.Equal(plain.Text[..plain.Text.IndexOf(stop, StringComparison.Ordinal)], cut.Text);
        Assert.Equal(ChatFinishReason.Stop, cut.FinishReason);

        var sampled = new ChatOptions { Temperature = 1.5f, TopK = 20, Seed = 1L << 40 };
        var first = await _client.GetResponseAsync(Talk, sampled);
        Assert.Equal(first.Text, (await _client.GetResponseAsync(Talk, sampled)).Text);
        Assert.NotEqual(first.Text, (await _client.GetResponseAsync(Talk, new ChatOptions { Temperature = 1.5f, TopK = 20, Seed = 2 })).Text);

        var beams = new ChatOptions { RawRepresentationFactory = _ => new GenerationOptions { Beams = 3, MaximumNewTokens = 5 } };
        Assert.InRange((await _client.GetResponseAsync(Talk, beams)).Usage!.OutputTokenCount!.Value, 1, 5);
        var told = await _client.GetResponseAsync(Talk[1..], new ChatOptions { Instructions = "be brief" });
        Assert.Equal(plain.Text, told.Text);
    }

    [Fact]
    public async Task WhatItDoesNotHaveIsRefusedByName()
    {
        Assert.Contains("Tools", (await Refused(new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1)] })).Message);
        Assert.Contains("ResponseFormat", (await Refused(new ChatOptions { ResponseFormat = ChatResponseFormat.Json })).Message);
        Assert.Contains("PresencePenalty", (await Refused(new ChatOptions { PresencePenalty = 0.5f })).Message);
        Assert.Contains("other", (await Refused(new ChatOptions { ModelId = "other" })).Message);
        await Assert.ThrowsAsync<ArgumentException>(() =>
            _client.GetResponseAsync([new ChatMessage(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")])]));
        await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync([new ChatMessage(ChatRole.Tool, "42")]));
        await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync([]));
        var tooLong = string.Join(' ', Enumerable.Repeat("rain", 30));
        await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync(tooLong));

        async Task<ArgumentException> Refused(ChatOptions options) =>
            await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync(Talk, options));
    }

    [Fact]
    public async Task AModelWithoutAKnownTemplateNeedsOneGiven()
    {
        File.WriteAllText(_folder["tokenizer_config.json"], """{ "chat_template": "{{ messages }}" }""");
        var model = PublishedModel.FromFolder(_folder.Path);
        Assert.Contains("ChatTemplate.Create", Assert.Throws<InvalidDataException>(() => MoeChatClient.Create(model, Cpu)).Message);

        var own = ChatTemplate.Create("letters", turns => "<s>" + turns[^1].Content + " ");
        using var client = MoeChatClient.Create(model, Cpu, own);
        Assert.Equal(
            client.GetService<MoeTextGenerationTransformer>()!.Generate(["<s>and then "])[0].Text, (await client.GetResponseAsync(Talk)).Text);
    }

    [Fact]
    public async Task ItEndsWithCancellationAndDisposal()
    {
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _client.GetResponseAsync(Talk, null, stop.Token));
        _client.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _client.GetResponseAsync(Talk));
    }
}
