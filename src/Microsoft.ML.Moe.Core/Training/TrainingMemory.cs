using System.Globalization;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// What the large tensors of a model in the making ask for, before any of them is made: names the options that ask for more than there is.
/// </summary>
internal sealed class TrainingMemory
{
    /// <summary>Bytes of a value that learns: itself, its gradient, and two moments of AdamW.</summary>
    private const int BytesOfValue = 4 * sizeof(float);

    private const double Gibibyte = 1L << 30;

    private readonly List<(double Values, int Tensors, double Bytes, string Options)> _parts = [];

    private TrainingMemory(EncoderConfig encoder)
    {
        var (d, f) = ((double)encoder.Width, (double)encoder.ExpertWidth);
        var width = Setting(nameof(encoder.Width), encoder.Width);
        var layers = Setting(nameof(encoder.Layers), encoder.Layers);
        Add(
            encoder.Experts * d * f,
            2 * encoder.MoeLayers,
            $"{Setting(nameof(encoder.Experts), encoder.Experts)}, {width}, {Setting(nameof(encoder.ExpertWidth), encoder.ExpertWidth)}, {layers}");
        Add(
            d * encoder.FeedForwardWidth,
            2 * (encoder.Layers - encoder.MoeLayers),
            $"{width}, {Setting(nameof(encoder.ExpertWidth), encoder.ExpertWidth)}, {layers}");
        if (encoder is not FeatureEncoderConfig)
            Add(d * d, 4 * encoder.Layers, $"{width}, {layers}");
    }

    /// <summary>What an encoder asks for.</summary>
    /// <exception cref="ArgumentException">A tensor would be larger than any can be; the message names the options.</exception>
    public static void Check(EncoderConfig encoder) => new TrainingMemory(encoder).CheckTensors();

    /// <summary>What a whole model asks for.</summary>
    /// <param name="encoder">Its architecture.</param>
    /// <param name="input">Its input.</param>
    /// <param name="head">Its head.</param>
    /// <param name="available">Bytes that there are; null where they are not known.</param>
    /// <exception cref="ArgumentException">A tensor would be larger than any can be; the message names the options.</exception>
    /// <exception cref="InvalidOperationException">There is not as much memory; the message names the options that ask for most.</exception>
    public static void Check(EncoderConfig encoder, InputConfig input, HeadConfig head, long? available)
    {
        var memory = new TrainingMemory(encoder);
        memory.Add(input, encoder);
        memory.Add(head, encoder);
        memory.CheckTensors();
        if (available is { } bytes)
            memory.CheckSum(bytes);
    }

    private void Add(InputConfig input, EncoderConfig encoder)
    {
        var width = Setting(nameof(encoder.Width), encoder.Width);
        if (input is TextInputConfig text)
        {
            var rows = text.UsesTokenizer ? $"a tokenizer of {text.TableRows} entries" : Setting(nameof(text.HashBits), text.HashBits);
            // only rows that occur have gradients and moments
            _parts.Add(((double)text.TableRows * encoder.Width, 1, sizeof(float) * (double)text.TableRows * encoder.Width, $"{rows}, {width}"));
        }

        if (input is ImageInputConfig { Stem: not null })
            Add((double)ConvolutionalStem.Places * encoder.Width * encoder.Width, 2, width);

        if (input is FeatureInputConfig features)
        {
            var columns = features.EmbeddedColumns + features.DirectColumns;
            Add(columns * encoder.Width, 1, $"{Setting(nameof(features.EmbeddingWidth), features.EmbeddingWidth)}, {width}, {features.Slots} slots");
            Add(
                features.Numbers.Sum(number => (double)number.Edges.Length) * features.EmbeddingWidth,
                1,
                $"{Setting("Bins", features.Numbers.Select(number => number.Edges.Length).DefaultIfEmpty().Max())}, "
                + Setting(nameof(features.EmbeddingWidth), features.EmbeddingWidth));
        }
    }

    private void Add(HeadConfig head, EncoderConfig encoder)
    {
        var width = Setting(nameof(encoder.Width), encoder.Width);
        var (values, options) = head switch
        {
            MemberClassesHeadConfig members => (
                (double)members.Members * encoder.Width * members.Classes,
                $"{Setting(nameof(members.Members), members.Members)}, {width}, {members.Classes} classes"),
            ClassesHeadConfig classes => (
                (ClassesHead.PoolingQueries + 1.0) * encoder.Width * classes.Classes, $"{width}, {classes.Classes} classes"),
            MaskedTokenHeadConfig masked => ((double)masked.Vocabulary * encoder.Width, $"{width}, MaskedVocabularySize = {masked.Vocabulary}"),
            _ => (0, ""),
        };
        Add(values, 1, options);
    }

    private void Add(double values, int tensors, string options)
    {
        if (tensors > 0 && values > 0)
            _parts.Add((values, tensors, BytesOfValue * values * tensors, options));
    }

    private void CheckTensors()
    {
        foreach (var (values, tensors, bytes, options) in _parts)
            if (values > int.MaxValue)
                throw new ArgumentException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{options} ask for {tensors} tensors of {values:N0} numbers, {bytes / Gibibyte:N0} GiB while training; a tensor has at most "
                    + $"{int.MaxValue:N0}. Lower one of them."));
    }

    private void CheckSum(long available)
    {
        var sum = _parts.Sum(part => part.Bytes);
        if (sum <= available)
            return;
        var largest = _parts.MaxBy(part => part.Bytes);
        throw new InvalidOperationException(string.Create(
            CultureInfo.InvariantCulture,
            $"The model asks for {sum / Gibibyte:N1} GiB while training, and there are {available / Gibibyte:N1} GiB of memory. Most of it, "
            + $"{largest.Bytes / Gibibyte:N1} GiB, is asked for by {largest.Options}: lower one of them."));
    }

    private static string Setting(string name, int value) => string.Create(CultureInfo.InvariantCulture, $"{name} = {value}");
}
