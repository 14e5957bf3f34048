using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Drops elements at random and scales the rest; each operation seeds its own random numbers.</summary>
internal static class DropoutOperation
{
    private static readonly Lock _gpuRandom = new();

    public static TorchTensor Forward(TorchTape tape, TorchTensor x, float rate) => tape.Run(() => Apply(tape, x.Value, rate));

    public static torch.Tensor Apply(TorchTape tape, torch.Tensor x, float rate) =>
        x.mul(IsKept(tape, x, 1.0 - rate).mul_(Scalars.Of(1f / (1f - rate))));

    private static torch.Tensor IsKept(TorchTape tape, torch.Tensor x, double probability)
    {
        var isKept = torch.empty_like(x);
        var key = tape.NextRandomKey();
        if (tape.Device.type == DeviceType.CPU)
        {
            using var random = new torch.Generator(key);
            return isKept.bernoulli_(probability, random);
        }

        // TorchSharp makes generators for the processor only; a GPU has one for all threads.
        lock (_gpuRandom)
        {
            torch.cuda.manual_seed_all(key);
            return isKept.bernoulli_(probability);
        }
    }
}
