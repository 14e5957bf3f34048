using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A text encoder that has learned from texts without labels: a start for classifiers (<see cref="InitialTextModel"/>) and a source
/// of text vectors. Safe to use from several threads at once. The engine it lives on belongs to the caller and must outlive it.
/// </summary>
public sealed class PretrainedTextEncoder
{
    private readonly Engine _engine;
    private readonly TextEncoder _encoder;

    internal PretrainedTextEncoder(Engine engine, TextEncoderConfig config, ParameterStore parameters, TextInput input)
    {
        _engine = engine;
        Config = config;
        Parameters = parameters;
        _encoder = new TextEncoder(parameters, config);
        Input = input;
    }

    /// <summary>Width of text vectors, D.</summary>
    public int Width => Config.Width;

    /// <summary>Experts in each MoE layer, N; 0 in a model without MoE layers.</summary>
    public int Experts => Config.MoeLayers == 0 ? 0 : Config.Experts;

    /// <summary>Encodes texts for <see cref="Embed"/>.</summary>
    public TextInput Input { get; }

    /// <summary>The router in use; without effect in a model without MoE layers.</summary>
    public RouterSettings Router => Config.Router;

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => Parameters.All.Sum(p => (long)p.Parameter.Value.Length);

    internal TextEncoderConfig Config { get; }

    internal ParameterStore Parameters { get; }

    /// <summary>Vectors of texts: the mean of their token vectors in context.</summary>
    /// <param name="rows">Encoded by <see cref="Input"/>.</param>
    /// <param name="vectors">Receives rows × D values, row-major.</param>
    /// <exception cref="ArgumentException"><paramref name="vectors"/> is too short.</exception>
    public void Embed(IReadOnlyList<EncodedText> rows, Span<float> vectors)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (vectors.Length < (long)rows.Count * Width)
            throw new ArgumentException($"{rows.Count} rows × {Width} numbers need more room.", nameof(vectors));
        foreach (var pass in ScoringPasses.Of(rows, text => text.Length, padded: !Router.MaskPadding))
        {
            using var tape = _engine.LeaseTape(training: false);
            var batch = TextBatch.Pack(pass, wideBits: 0, padToLongest: !Config.Router.MaskPadding);
            var xTD = _encoder.Forward(new ForwardContext(tape, batch.Layout), batch);
            tape.MeanPool(xTD, batch.Layout).CopyTo(vectors[..(pass.Count * Width)]);
            vectors = vectors[(pass.Count * Width)..];
        }
    }

    /// <summary>Saves the encoder; a tokenizer, if it uses one, is the caller's to save.</summary>
    /// <param name="config">Receives <c>Config.json</c>.</param>
    /// <param name="weights">Receives <c>Weights.safetensors</c>.</param>
    public void Save(Stream config, Stream weights)
    {
        Config.Write(config);
        SafeTensors.Write(weights, [.. Parameters.All.Select(p => p.Parameter)]);
    }

    /// <summary>Loads an encoder that <see cref="Save"/> has written.</summary>
    /// <param name="config"><c>Config.json</c>.</param>
    /// <param name="weights"><c>Weights.safetensors</c>.</param>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="tokenizer">The tokenizer that it was trained with, if any.</param>
    /// <exception cref="InvalidDataException">The files are damaged, newer than this library or do not fit each other.</exception>
    public static PretrainedTextEncoder Load(Stream config, Stream weights, Engine engine, ISubwordTokenizer? tokenizer = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(engine);
        var settings = EncoderConfig.Read<TextEncoderConfig>(config);
        var input = settings.CreateInput(tokenizer);
        var tensors = SafeTensors.Read(weights);
        var encoder = new PretrainedTextEncoder(engine, settings, new ParameterStore(engine, tensors.Take), input);
        tensors.CheckAllTaken();
        return encoder;
    }
}
