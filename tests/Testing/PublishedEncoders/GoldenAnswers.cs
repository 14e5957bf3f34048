using System.Text;
using System.Text.Json;
using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>What the original writes to some prompts with some options: an entry of <c>sequences</c> in expected.json.</summary>
internal sealed class GoldenAnswers
{
    // what 5.23 computes otherwise than 4.57 is beside it, and ours
    private const string Later = "_5_23_0";

    private readonly GoldenModel _golden;
    private readonly JsonElement _entry;
    private readonly string _inputs;
    private readonly bool _isContinued;
    private readonly int _padding;

    private GoldenAnswers(GoldenModel golden, string name, JsonElement entry)
    {
        (_golden, Name, _entry) = (golden, name, entry);
        _isContinued = entry.ValueKind == JsonValueKind.Array;
        _inputs = _isContinued ? name + "." : entry.GetProperty("inputs").GetString()!.TrimEnd('*');
        var arguments = (_isContinued ? golden.Json.GetProperty("generation").GetProperty(name) : entry).GetProperty("arguments");
        Options = GenerationConfigFile.Apply(
            new GenerationOptions { MaximumNewTokens = null, TopK = 0 }, Encoding.UTF8.GetBytes(arguments.GetRawText()), name);
        _padding = arguments.TryGetProperty("pad_token_id", out var padding) && padding.TryGetInt32(out var id) ? id : -1;
        var (ids, shape) = golden.Tensor(_inputs + "input_ids")!.Value;
        var mask = golden.Tensor(_inputs + "attention_mask")?.Values ?? [.. ids.Select(_ => 1f)];
        Width = shape[1];
        IsPaddedLeft = Enumerable.Range(0, shape[0]).Any(row => mask[row * Width] == 0f);
        Prompts = [.. Enumerable.Range(0, shape[0]).Select(row =>
            Enumerable.Range(row * Width, Width).Where(place => mask[place] > 0).Select(place => (int)ids[place]).ToArray())];
    }

    public string Name { get; }

    public GenerationOptions Options { get; }

    /// <summary>The prompts without padding.</summary>
    public int[][] Prompts { get; }

    /// <summary>Tokens of the prompts with their padding.</summary>
    public int Width { get; }

    public bool IsPaddedLeft { get; }

    /// <summary>All entries of a model.</summary>
    public static IEnumerable<GoldenAnswers> Of(GoldenModel golden)
    {
        var entries = golden.Json.GetProperty("sequences").EnumerateObject().ToList();
        return entries.Where(e => entries.All(other => other.Name != e.Name + Later)).Select(e => new GoldenAnswers(golden, e.Name, e.Value));
    }

    /// <summary>Tokens of each answer up to its end, the prompts' answers one after the other; null where they are not known.</summary>
    public int[][]? Tokens(bool cached)
    {
        if (!_isContinued && !_entry.TryGetProperty(Way(cached), out _))
            return null;
        var rows = (_isContinued ? _entry : _entry.GetProperty(Way(cached))).Deserialize<int[][]>()!;
        return [.. rows.Select(row =>
        {
            var tokens = row.AsSpan(_isContinued ? Width : 1);
            var end = tokens.IndexOfAny(Options.EndTokens.ToArray());
            return (end < 0 ? tokens : tokens[..(end + 1)]).ToArray();
        })];
    }

    /// <summary>Scores of beams; null where there are none.</summary>
    public float[]? Scores(bool cached) => _isContinued ? _golden.Tensor(Name + ".sequences_scores")?.Values
        : _entry.TryGetProperty(Way(cached) + "_scores", out var scores) ? scores.Deserialize<float[]>()
        : null;

    /// <summary>Texts of the answers; null where there are none.</summary>
    public string[]? Texts() => !_isContinued && _entry.TryGetProperty("text", out var texts) ? texts.Deserialize<string[]>() : null;

    /// <summary>The model's scores of the tokens at a step, or those that options have made of them; null where there are none.</summary>
    public float[]? StepScores(int row, int step, bool changed, bool cached)
    {
        if (_golden.Tensor($"{Name}.{(changed ? "scores" : "logits")}") is var (values, shape) && step < shape[1])
            return values.AsSpan((row * shape[1] + step) * shape[2], shape[2]).ToArray();
        // with a cache no expert's capacity drops a token, and without one it does
        return !changed && cached && _golden.Tensor($"{_inputs}{Name}.step_logits") is var (steps, size) && step < size[0]
            ? steps.AsSpan((step * size[1] + row) * size[2], size[2]).ToArray()
            : null;
    }

    /// <summary>
    /// Whether the original's options look at a token as ours do: 4.57 takes padding on the left for tokens, and runs of it with the first
    /// tokens for runs that must not occur again.
    /// </summary>
    public bool Counts(int row, int token) => Prompts[row].Length == Width
        || (token != _padding && !Prompts[row].Take(Options.NoRepeatNGramSize - 1).Contains(token));

    private static string Way(bool cached) => cached ? "cached" : "uncached";
}
