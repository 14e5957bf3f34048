using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Sums of a plan's pairs by token: those of a token by ascending expert, so that they do not depend on the number of threads.</summary>
internal readonly unsafe struct PairSums : IBlockBody
{
    private readonly Kernels _kernels;
    private readonly float* _rowsPD;
    private readonly int _stride;
    private readonly int _width;
    private readonly TokenPairs _tokenPairs;
    private readonly int* _sorted;
    private readonly float* _weights;
    private readonly float* _resultTD;
    private readonly bool _accumulate;

    private PairSums(
        Kernels kernels, float* rowsPD, int stride, int width, TokenPairs tokenPairs, int* sorted, float* weights, float* resultTD, bool accumulate)
    {
        (_kernels, _stride, _width, _tokenPairs, _accumulate) = (kernels, stride, width, tokenPairs, accumulate);
        _rowsPD = rowsPD;
        _sorted = sorted;
        _weights = weights;
        _resultTD = resultTD;
    }

    /// <summary>resultTD[t] = or += Σ over the token's pairs of weight·rowsPD[pair].</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="tokenPairs">The pairs by token.</param>
    /// <param name="tokens">T.</param>
    /// <param name="pairs">P.</param>
    /// <param name="rowsPD">What is summed.</param>
    /// <param name="stride">Distance of its rows.</param>
    /// <param name="width">D.</param>
    /// <param name="weightsP">The weights; null for ones.</param>
    /// <param name="resultTD">Receives the sums.</param>
    /// <param name="accumulate">Whether to add to what is there.</param>
    public static void Run(
        ManagedTape tape,
        TokenPairs tokenPairs,
        int tokens,
        int pairs,
        float* rowsPD,
        int stride,
        int width,
        float* weightsP,
        float* resultTD,
        bool accumulate)
    {
        var sorted = tape.Scratch.AllocateIntegers(pairs);
        var weights = weightsP == null ? null : tape.Scratch.Allocate(pairs);
        for (var i = 0; i < pairs; i++)
        {
            sorted[i] = tokenPairs.Sorted[i];
            if (weights != null)
                weights[i] = weightsP[sorted[i]];
        }

        Blocks.RunRows(tape, tokens, width, new PairSums(tape.Kernels, rowsPD, stride, width, tokenPairs, sorted, weights, resultTD, accumulate));
    }

    /// <inheritdoc/>
    public void Run(int first, int count)
    {
        for (var token = first; token < first + count; token++)
        {
            var start = _tokenPairs.Start(token);
            _kernels.SumRows(
                _rowsPD,
                _stride,
                _sorted + start,
                _weights == null ? null : _weights + start,
                _tokenPairs.Start(token + 1) - start,
                _resultTD + (long)token * _width,
                _width,
                _accumulate);
        }
    }
}
