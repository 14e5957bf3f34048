using Microsoft.ML.Moe.Tests.Fuzzing.Mutation;

namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>Makes inputs out of others: of valid ones, and of those that have reached new code.</summary>
/// <param name="target">Whose inputs.</param>
/// <param name="seed">Number of the row of inputs.</param>
internal sealed class InputMaker(FuzzTarget target, int seed)
{
    private const int MostKept = 20_000;
    private readonly List<FuzzInput> _inputs = [.. target.Seeds];

    /// <summary>Number of inputs that others are made of.</summary>
    public int Kept => _inputs.Count;

    /// <summary>Keeps an input to make others of.</summary>
    public void Keep(FuzzInput input)
    {
        if (_inputs.Count < MostKept)
            _inputs.Add(input);
    }

    /// <summary>Makes an input; the same for the same number, as long as the same inputs were kept.</summary>
    public FuzzInput Make(long number)
    {
        var random = new Random(HashCode.Of(seed, number));
        var input = _inputs[random.Next(_inputs.Count)];
        for (var files = random.Next(6) == 0 ? 2 : 1; files > 0; files--)
            input = Changed(input, random);
        return target.Repair(input);
    }

    private FuzzInput Changed(FuzzInput input, Random random)
    {
        if (input.Files.Count == 0)
            return input;
        var file = input.Files[random.Next(input.Files.Count)];
        if (input.Files.Count > 1 && random.Next(32) == 0)
            return new FuzzInput([.. input.Files.Where(f => !ReferenceEquals(f, file))]);
        if (random.Next(16) == 0)
        {
            // the file of the same name of another input, whole or from some byte on
            var other = _inputs[random.Next(_inputs.Count)].Files.FirstOrDefault(f => f.Name == file.Name)?.Content;
            if (other is not null)
                return input.With(file, random.Next(2) == 0 ? other : Spliced(file.Content, other, random));
        }

        return input.With(file, Mutators.Apply(file, random));
    }

    private static byte[] Spliced(byte[] one, byte[] other, Random random) =>
        [.. one[..random.Next(one.Length + 1)], .. other[random.Next(other.Length + 1)..]];

    /// <summary>A hash that is the same in every process.</summary>
    private static class HashCode
    {
        public static int Of(int seed, long number)
        {
            var hash = (ulong)number * 0x9E3779B97F4A7C15 ^ (ulong)(uint)seed * 0xC2B2AE3D27D4EB4F;
            hash = (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9;
            return (int)(hash >> 32);
        }
    }
}
