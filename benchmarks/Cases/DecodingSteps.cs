using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>Greedy tokens after a prompt; begins again where there is no more room.</summary>
internal sealed class DecodingSteps(CausalModel model) : IDisposable
{
    /// <summary>Tokens of the prompt.</summary>
    public const int PromptLength = 32;

    /// <summary>Tokens after it.</summary>
    public const int Capacity = 512;

    private readonly float[] _scores = new float[model.VocabularySize];
    private Decoding? _decoding;
    private int _room;

    /// <summary>Adds the token with the highest score.</summary>
    public void Next()
    {
        if (_room == 0)
        {
            _decoding?.Dispose();
            _decoding = model.Begin([PublishedMixtures.Ids(PromptLength, model.VocabularySize)], copies: 1, Capacity);
            _decoding.Next([], _scores);
            _room = Capacity;
        }

        _decoding!.Next([_scores.AsSpan().IndexOf(_scores.Max())], _scores);
        _room--;
    }

    public void Dispose() => _decoding?.Dispose();
}
