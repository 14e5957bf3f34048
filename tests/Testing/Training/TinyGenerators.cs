using System.Text.Json;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Small models that write, with random weights, and rows that they learn in a moment: the letters of a text in reverse.</summary>
internal static class TinyGenerators
{
    /// <summary>An encoder–decoder with four experts in one block of each stack; nothing random.</summary>
    public const string Switch = """
        {
          "model_type": "switch_transformers", "vocab_size": 32, "d_model": 16, "d_kv": 8, "d_ff": 20, "num_layers": 2, "num_decoder_layers": 2,
          "num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1, "num_heads": 2, "num_experts": 4, "expert_capacity": 64,
          "router_jitter_noise": 0, "dropout_rate": 0, "decoder_start_token_id": 0, "pad_token_id": 0
        }
        """;

    /// <summary>A dense encoder–decoder.</summary>
    public const string T5 = """
        {
          "model_type": "t5", "vocab_size": 32, "d_model": 16, "d_kv": 8, "d_ff": 20, "num_layers": 1, "num_heads": 2, "dropout_rate": 0,
          "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false, "decoder_start_token_id": 0
        }
        """;

    /// <summary>An end token, which is the last of every target.</summary>
    public const int End = 1;

    private const int FirstLetter = 5;

    /// <summary>A model with random weights.</summary>
    /// <param name="engine">Where.</param>
    /// <param name="config">Its <c>config.json</c>.</param>
    public static Model<EncodedText> Create(Engine engine, string config)
    {
        using var json = JsonDocument.Parse(config);
        return Create(engine, PublishedArchitectures.Read(new PublishedSettings(json.RootElement, "config.json")));
    }

    /// <summary>A model with random weights.</summary>
    public static Model<EncodedText> Create(Engine engine, PublishedConfig encoder)
    {
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(encoder), new LetterIds());
        var config = new ModelConfig { Input = input.Config, Encoder = encoder, Head = encoder.WritingHead! };
        return new Model<EncodedText>(engine, config, input, new ParameterStore(engine, seed: 3) { HasDenseTables = true });
    }

    /// <summary>Rows of 2 to 5 letters.</summary>
    public static Example<EncodedText>[] Rows(Model<EncodedText> model, int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            int[] letters = [.. Enumerable.Range(0, random.Next(2, 6)).Select(_ => FirstLetter + random.Next(6))];
            return new Example<EncodedText>(new EncodedText(Ids(model, letters), 0, isEmpty: false), 0f);
        })];
    }

    /// <summary>Trains a model from its beginning, on an engine of its own.</summary>
    /// <returns>Its weights in the end, and the reports of its epochs.</returns>
    public static (float[] Weights, List<EpochReport> Epochs) Train(
        string model,
        GeneratorTrainingConfig config,
        ValidationMetric? metric = null,
        int? interruptAfter = null,
        int threads = 1,
        int rows = 23,
        int validation = 5,
        Action<int>? step = null)
    {
        using var engine = new ManagedEngine(threads);
        var start = Create(engine, model);
        var watcher = new Watcher(interruptAfter, step);
        try
        {
            var trained = new GeneratorTrainer(config, start, metric).Train(
                Rows(start, rows), Rows(start, validation, seed: 2), watcher);
            return (trained.AllValues(), watcher.Epochs);
        }
        catch (OperationCanceledException) when (interruptAfter is not null)
        {
            return (start.AllValues(), watcher.Epochs);
        }
    }

    private static TokenIds Ids(Model<EncodedText> model, int[] letters)
    {
        int[] answer = [.. letters.Reverse(), End];
        return model.Head is DecoderHead
            ? new TokenIds([.. letters, End]) { Targets = answer }
            : new TokenIds([2, .. letters, 3, .. answer]) { FirstTarget = letters.Length + 2 };
    }

    /// <summary>Keeps reports; ends a training after so many steps as a process ends that is told to.</summary>
    private sealed class Watcher(int? steps, Action<int>? taken) : ITrainingObserver
    {
        private int _steps;

        public List<EpochReport> Epochs { get; } = [];

        public void OnEpoch(EpochReport report) => Epochs.Add(report);

        public void OnStep(int epoch, int step, int stepsOfEpoch, double loss)
        {
            _steps++;
            taken?.Invoke(_steps);
            if (_steps == steps)
                throw new OperationCanceledException();
        }
    }
}
