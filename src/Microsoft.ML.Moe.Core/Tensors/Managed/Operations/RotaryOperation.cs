namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Rotary positions: of each head, the pair (a, b) becomes (a·cos − b·sin, a·sin + b·cos) with the angle position·frequency. A rotation's
/// gradient is turned back by the same angle, an amplitude scales both. Cosines and sines of a token, [T, 2, P], serve all its heads.
/// </summary>
internal readonly unsafe struct RotaryOperation(
    ManagedTensor xTD, int heads, RotaryColumns columns, float* turns, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor xTD, ReadOnlySpan<int> positions, int heads, ReadOnlySpan<RotaryFrequencies> rotary)
    {
        var result = tape.Result(xTD.RequiresGradient, xTD.Shape);
        var columns = rotary.Length == 0 ? default : new RotaryColumns(rotary[0].FirstColumn, rotary[0].Pairs, rotary[0].IsInterleaved);
        var pairs = columns.Pairs;
        var turns = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(2L * positions.Length * pairs);
        for (var token = 0; token < positions.Length; token++)
        {
            var cosines = turns + 2L * token * pairs;
            var frequencies = rotary.Length == 1 ? rotary[0] : rotary[token];
            for (var pair = 0; pair < pairs; pair++)
                (cosines[pair], cosines[pairs + pair]) = frequencies.Turn(positions[token], pair);
        }

        var operation = new RotaryOperation(xTD, heads, columns, turns, result);
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
        var body = new Turns(heads, xTD.Columns / heads, columns, turns, x, y, direction, accumulate);
        Blocks.RunRows(tape, xTD.Shape[0], xTD.Columns, body);
    }

    private readonly struct Turns(
        int heads, int headWidth, RotaryColumns columns, float* turns, float* x, float* y, float direction, bool accumulate)
        : IBlockBody
    {
        public void Run(int first, int count)
        {
            var (before, pairs) = (columns.First, columns.Pairs);
            var (step, distance) = columns.AreInterleaved ? (2, 1) : (1, pairs);
            for (var token = first; token < first + count; token++)
            {
                var cosines = turns + 2L * token * pairs;
                var sines = cosines + pairs;
                for (var head = 0; head < heads; head++)
                {
                    var start = ((long)token * heads + head) * headWidth;
                    var source = x + start;
                    var target = y + start;
                    for (var column = 0; column < before; column++)
                        Put(target + column, source[column]);
                    for (var pair = 0; pair < pairs; pair++)
                    {
                        var one = before + pair * step;
                        var (a, b) = (source[one], source[one + distance]);
                        var (cosine, sine) = (cosines[pair], direction * sines[pair]);
                        Put(target + one, a * cosine - b * sine);
                        Put(target + one + distance, a * sine + b * cosine);
                    }

                    for (var rest = before + 2 * pairs; rest < headWidth; rest++)
                        Put(target + rest, source[rest]);
                }
            }
        }

        private void Put(float* target, float value) => *target = accumulate ? *target + value : value;
    }
}

/// <summary>The columns of a head that rotary positions turn.</summary>
/// <param name="First">The first of them.</param>
/// <param name="Pairs">Number of pairs.</param>
/// <param name="AreInterleaved">Whether neighbours are a pair.</param>
internal readonly record struct RotaryColumns(int First, int Pairs, bool AreInterleaved);
