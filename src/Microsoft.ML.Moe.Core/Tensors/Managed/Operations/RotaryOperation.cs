namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Rotary positions: of each head, the pair (a, b) becomes (a·cos − b·sin, a·sin + b·cos) with the angle position·frequency. A rotation's
/// gradient is turned back by the same angle, an amplitude scales both. Cosines and sines of a token, [T, 2, P], serve all its heads.
/// </summary>
internal readonly unsafe struct RotaryOperation(
    ManagedTensor xTD, int heads, int pairs, bool isInterleaved, float* turns, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor xTD, ReadOnlySpan<int> positions, int heads, RotaryFrequencies rotary)
    {
        var result = tape.Result(xTD.RequiresGradient, xTD.Shape);
        var pairs = rotary.Pairs;
        var turns = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(2L * positions.Length * pairs);
        for (var token = 0; token < positions.Length; token++)
        {
            var cosines = turns + 2L * token * pairs;
            for (var pair = 0; pair < pairs; pair++)
                (cosines[pair], cosines[pairs + pair]) = rotary.Turn(positions[token], pair);
        }

        var operation = new RotaryOperation(xTD, heads, pairs, rotary.IsInterleaved, turns, result);
        operation.Turn(tape, xTD.Data, result.Data, 1f, accumulate: false);
        tape.Record(result, operation);
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var dX = xTD.GradientToWrite(out var accumulate);
        Turn(tape, result.Gradient, dX, -1f, accumulate);
    }

    private void Turn(ManagedTape tape, float* x, float* y, float direction, bool accumulate)
    {
        var body = new Turns(heads, xTD.Columns / heads, pairs, isInterleaved, turns, x, y, direction, accumulate);
        Blocks.RunRows(tape, xTD.Shape[0], xTD.Columns, body);
    }

    private readonly struct Turns(
        int heads, int headWidth, int pairs, bool isInterleaved, float* turns, float* x, float* y, float direction, bool accumulate)
        : IBlockBody
    {
        public void Run(int first, int count)
        {
            var (step, distance) = isInterleaved ? (2, 1) : (1, pairs);
            for (var token = first; token < first + count; token++)
            {
                var cosines = turns + 2L * token * pairs;
                var sines = cosines + pairs;
                for (var head = 0; head < heads; head++)
                {
                    var start = ((long)token * heads + head) * headWidth;
                    var source = x + start;
                    var target = y + start;
                    for (var pair = 0; pair < pairs; pair++)
                    {
                        var (a, b) = (source[pair * step], source[pair * step + distance]);
                        var (cosine, sine) = (cosines[pair], direction * sines[pair]);
                        Put(target + pair * step, a * cosine - b * sine);
                        Put(target + pair * step + distance, a * sine + b * cosine);
                    }

                    for (var rest = 2 * pairs; rest < headWidth; rest++)
                        Put(target + rest, source[rest]);
                }
            }
        }

        private void Put(float* target, float value) => *target = accumulate ? *target + value : value;
    }
}
