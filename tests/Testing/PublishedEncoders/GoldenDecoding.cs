using System.Text.Json;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>A published encoder–decoder's greedy answers beside the original's.</summary>
internal sealed class GoldenDecoding
{
    private static readonly string[] OfPlainGreedy = ["pad_token_id", "eos_token_id", "decoder_start_token_id", "max_length", "do_sample"];

    private readonly GoldenModel _golden;
    private readonly Model<EncodedText> _model;

    public GoldenDecoding(PublishedFolder folder, Engine engine, GoldenModel golden)
    {
        _golden = golden;
        _model = Load(folder, engine);
        if (_model.Experts > 0)
            _model = _model.WithRouting(_model.Router with { MaskPadding = false });
    }

    /// <summary>The entries that take the best token at each step, nothing else.</summary>
    public IReadOnlyList<JsonProperty> Greedy => !_golden.Json.TryGetProperty("sequences", out var sequences) ? [] :
    [
        .. sequences.EnumerateObject().Where(entry => entry.Value.GetProperty("arguments").EnumerateObject().All(
            argument => OfPlainGreedy.Contains(argument.Name) && argument.Value.ValueKind != JsonValueKind.True)),
    ];

    /// <summary>The model of a folder, with its decoder.</summary>
    public static Model<EncodedText> Load(PublishedFolder folder, Engine engine) => folder.Load(
        engine, new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds()), new DecoderHeadConfig());

    public void Compare(JsonProperty entry)
    {
        var arguments = entry.Value.GetProperty("arguments");
        var (length, end) = (arguments.GetProperty("max_length").GetInt32(), arguments.GetProperty("eos_token_id").GetInt32());
        // "gen.*", "gen.leftpad_*", "qa.*"
        var inputs = entry.Value.GetProperty("inputs").GetString()!.TrimEnd('*');
        var padsLeft = inputs.EndsWith("leftpad_", StringComparison.Ordinal);
        var prompts = Prompts(_golden.Tensor(inputs + "input_ids")!.Value, _golden.Tensor(inputs + "attention_mask")!.Value.Values);
        foreach (var usesCache in (bool[])[true, false])
        {
            var decoding = new EncoderDecoderModel(_model, usesCache, padsLeft).Begin(prompts, 2, length - 1);
            var steps = usesCache ? _golden.Tensor($"gen.{entry.Name}.step_logits")?.Values : null;
            var answers = Answers(decoding, length, end, steps, entry.Name);
            var expected = entry.Value.GetProperty(usesCache ? "cached" : "uncached").EnumerateArray()
                .Select(answer => UpTo(answer.EnumerateArray().Select(id => id.GetInt32()), end)).ToList();
            Assert.Equal(expected, answers);
        }
    }

    // two copies of each prompt, which change places at each step
    private static List<int[]> Answers(Decoding decoding, int length, int end, float[]? expectedScores, string name)
    {
        using var scope = decoding;
        var (count, vocabulary) = (decoding.Sequences, decoding.VocabularySize);
        List<int>[] answers = [.. Enumerable.Range(0, count).Select(sequence => decoding.ContextOf(sequence).ToArray().ToList())];
        int[] swapped = [.. Enumerable.Range(0, count).Select(sequence => sequence ^ 1)];
        var scores = new float[count * vocabulary];
        int[] next = [];
        for (var step = 0; answers[0].Count < length; step++)
        {
            decoding.Next(next, scores);
            if (expectedScores is not null)
                CompareScores(step);
            next = [.. Enumerable.Range(0, count).Select(sequence => answers[sequence][^1] == end && step > 0
                ? Decoding.Ended
                : IndexOfMaximum(scores.AsSpan(sequence * vocabulary, vocabulary)))];
            if (next.All(token => token == Decoding.Ended))
                break;
            for (var sequence = 0; sequence < count; sequence++)
                answers[sequence].Add(next[sequence] == Decoding.Ended ? end : next[sequence]);
            decoding.Reorder(swapped);
        }

        Assert.All(Enumerable.Range(0, count), sequence => Assert.Equal(answers[sequence], answers[sequence ^ 1]));
        return [.. answers.Where((_, sequence) => sequence % 2 == 0).Select(answer => UpTo(answer, end))];

        void CompareScores(int step)
        {
            var size = count / 2 * vocabulary;
            if ((step + 1) * size > expectedScores.Length)
                return;
            for (var sequence = 0; sequence < count; sequence += 2)
            {
                if (step > 0 && answers[sequence][^1] == end)
                    continue;
                GoldenNumbers.Close(
                    expectedScores.AsSpan(step * size + sequence / 2 * vocabulary, vocabulary).ToArray(),
                    scores.AsSpan(sequence * vocabulary, vocabulary).ToArray(),
                    $"{name}, step {step}, answer {sequence / 2}");
            }
        }
    }

    // what follows the first end token is filled up differently
    private static int[] UpTo(IEnumerable<int> answer, int end)
    {
        int[] ids = [.. answer];
        var last = Array.IndexOf(ids, end, 1);
        return last < 0 ? ids : ids[..(last + 1)];
    }

    private static int[][] Prompts((float[] Values, int[] Shape) ids, float[] mask) =>
        [.. ids.Values.Zip(mask).Chunk(ids.Shape[1]).Select(row => row.Where(id => id.Second > 0).Select(id => (int)id.First).ToArray())];

    private static int IndexOfMaximum(ReadOnlySpan<float> scores)
    {
        var best = 0;
        for (var i = 1; i < scores.Length; i++)
            best = scores[i] > scores[best] ? i : best;
        return best;
    }
}
