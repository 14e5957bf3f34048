using System.Diagnostics;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>
/// Times an operation's forward and backward pass. The result's gradient, which the next operation would have left there, is put in its
/// place between the two while the clock stands still.
/// </summary>
internal static class GradientTiming
{
    /// <summary>Runs as often as it is told and gives the seconds that one run took.</summary>
    /// <param name="engine">Where the operation runs.</param>
    /// <param name="inputs">Parameters whose gradients are computed; a run begins with none.</param>
    /// <param name="operation">The operation.</param>
    public static Func<int, double> Timed(ManagedEngine engine, Parameter[] inputs, Func<Tape, Tensor> operation)
    {
        float[] outward = [];
        return repeats =>
        {
            var watch = new Stopwatch();
            if (repeats > 1)
                Run(new Stopwatch());
            for (var i = 0; i < repeats; i++)
                Run(watch);
            return watch.Elapsed.TotalSeconds / repeats;
        };

        unsafe void Run(Stopwatch watch)
        {
            foreach (var input in inputs)
                ((ManagedTensor)input.Value).ClearGradient();
            watch.Start();
            using (var tape = engine.BeginTape(training: true))
            {
                var result = (ManagedTensor)operation(tape);
                watch.Stop();
                if (outward.Length == 0)
                    outward = Values.Random(result.Length, 1f);
                outward.CopyTo(new Span<float>(result.GradientToWrite(out _), result.Length));
                watch.Start();
                // Of a constant, so that nothing is added to the gradient that is there.
                tape.Backward(tape.Constant([0f], 1));
            }

            watch.Stop();
        }
    }
}
