using System.Collections;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Microsoft.ML.Moe.Models;

/// <summary>Numbers of blocks, from 0, ascending, each once; equal to another with the same numbers. An array in <c>Config.json</c>.</summary>
[JsonConverter(typeof(Converter))]
internal sealed class BlockNumbers : IReadOnlyList<int>, IEquatable<BlockNumbers>
{
    private readonly int[] _numbers;

    /// <summary>Takes numbers in any order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is negative.</exception>
    public BlockNumbers(IEnumerable<int> numbers)
    {
        _numbers = [.. numbers.Distinct().Order()];
        if (_numbers is [< 0, ..])
            throw new ArgumentOutOfRangeException(nameof(numbers), _numbers[0], "Blocks are numbered from 0.");
    }

    /// <inheritdoc/>
    public int Count => _numbers.Length;

    /// <inheritdoc/>
    public int this[int index] => _numbers[index];

    /// <summary>Whether a block is among them.</summary>
    public bool Contains(int block) => Array.BinarySearch(_numbers, block) >= 0;

    /// <inheritdoc/>
    public bool Equals(BlockNumbers? other) => other is not null && _numbers.AsSpan().SequenceEqual(other._numbers);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as BlockNumbers);

    /// <inheritdoc/>
    public override int GetHashCode() => _numbers.Aggregate(17, HashCode.Combine);

    /// <inheritdoc/>
    public IEnumerator<int> GetEnumerator() => _numbers.AsEnumerable().GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal sealed class Converter : JsonConverter<BlockNumbers>
    {
        public override BlockNumbers Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            new(JsonSerializer.Deserialize(ref reader, TypeOf(options)) ?? []);

        public override void Write(Utf8JsonWriter writer, BlockNumbers value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value._numbers, TypeOf(options));

        private static JsonTypeInfo<int[]> TypeOf(JsonSerializerOptions options) => (JsonTypeInfo<int[]>)options.GetTypeInfo(typeof(int[]));
    }
}
