using System.Numerics;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Texts by their beginnings, in UTF-16 units: nodes and the steps between them, in one hash table.</summary>
internal sealed class TokenTrie
{
    /// <summary>The node of the empty text.</summary>
    public const int Root = 0;

    private const int NoNode = -1;
    private long[] _keys;
    private int[] _targets;
    private int _mask;
    private int[] _values = [NoValue];
    private int _nodes = 1;

    /// <summary>Value of a node at which no text ends.</summary>
    public const int NoValue = -1;

    /// <summary>Creates an empty trie.</summary>
    public TokenTrie()
    {
        _keys = new long[64];
        _targets = new int[64];
        _mask = 63;
        Array.Fill(_keys, -1L);
    }

    /// <summary>Adds a text; the last value of equal texts counts.</summary>
    public void Add(ReadOnlySpan<char> text, int value)
    {
        var node = Root;
        foreach (var unit in text)
        {
            var next = Step(node, unit);
            if (next == NoNode)
            {
                next = _nodes++;
                if (next == _values.Length)
                    Array.Resize(ref _values, 2 * _values.Length);
                _values[next] = NoValue;
                Insert(Key(node, unit), next);
                if (2 * _nodes > _keys.Length)
                    Grow();
            }

            node = next;
        }

        _values[node] = value;
    }

    /// <summary>The node behind a unit; negative for none.</summary>
    public int Step(int node, char unit)
    {
        var key = Key(node, unit);
        for (var slot = Slot(key); ; slot = (slot + 1) & _mask)
        {
            if (_keys[slot] == key)
                return _targets[slot];
            if (_keys[slot] < 0)
                return NoNode;
        }
    }

    /// <summary>The node behind a text; negative for none.</summary>
    public int Find(ReadOnlySpan<char> text)
    {
        var node = Root;
        foreach (var unit in text)
            if ((node = Step(node, unit)) < 0)
                break;
        return node;
    }

    /// <summary>Value of the text that ends at a node; <see cref="NoValue"/> for none.</summary>
    public int ValueOf(int node) => _values[node];

    /// <summary>The longest text from a node on that the units begin with.</summary>
    /// <returns>Its value, or <see cref="NoValue"/>.</returns>
    public int Longest(int node, ReadOnlySpan<char> units, out int length)
    {
        var value = NoValue;
        length = 0;
        for (var i = 0; i < units.Length; i++)
        {
            if ((node = Step(node, units[i])) < 0)
                break;
            if (_values[node] != NoValue)
                (value, length) = (_values[node], i + 1);
        }

        return value;
    }

    private static long Key(int node, char unit) => (long)node << 16 | unit;

    private int Slot(long key) => (int)((ulong)key * 0x9E3779B97F4A7C15 >> 32) & _mask;

    private void Insert(long key, int target)
    {
        var slot = Slot(key);
        while (_keys[slot] >= 0)
            slot = (slot + 1) & _mask;
        _keys[slot] = key;
        _targets[slot] = target;
    }

    private void Grow()
    {
        var (keys, targets) = (_keys, _targets);
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)(2 * keys.Length));
        _keys = new long[size];
        _targets = new int[size];
        _mask = size - 1;
        Array.Fill(_keys, -1L);
        for (var i = 0; i < keys.Length; i++)
            if (keys[i] >= 0)
                Insert(keys[i], targets[i]);
    }
}
