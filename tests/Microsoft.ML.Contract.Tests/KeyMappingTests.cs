using Microsoft.ML.Data;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Contract.Tests;

public sealed class KeyMappingTests
{
    private readonly MLContext _ml = new(1);

    [Fact]
    public void TextGetsKeysInOrderOfAppearance()
    {
        var data = Texts("b", "a", "", "b", null, "c");
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Value").Fit(data).Transform(data);
        Assert.Equal("Key<UInt32, 0-2>", keyed.Schema["Key"].Type.ToString());
        Assert.Equal([1u, 2, 0, 1, 0, 3], keyed.Values<uint>("Key"));
        Assert.Equal(["b", "a", "c"], keyed.Schema["Key"].KeyValues());
        Assert.True(keyed.Schema["Key"].HasKeyValues());
    }

    [Fact]
    public void OrInOrderOfValue()
    {
        var data = Texts("b", "B", "a", "ä", "10", "9");
        var ordinality = ValueToKeyMappingEstimator.KeyOrdinality.ByValue;
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Value", keyOrdinality: ordinality).Fit(data).Transform(data);
        Assert.Equal(["10", "9", "B", "a", "b", "ä"], keyed.Schema["Key"].KeyValues());
    }

    [Fact]
    public void ValuesNotSeenInFittingHaveNoKey()
    {
        var transformer = _ml.Transforms.Conversion.MapValueToKey("Key", "Value").Fit(Texts("a", "b"));
        Assert.Equal([2u, 0, 0], transformer.Transform(Texts("b", "x", "A")).Values<uint>("Key"));
    }

    [Fact]
    public void SpacesAreKept()
    {
        var data = Texts("a", " a", "a ", " ");
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Value").Fit(data).Transform(data);
        Assert.Equal(["a", " a", "a ", " "], keyed.Schema["Key"].KeyValues());
    }

    [Fact]
    public void OneNameReplacesTheColumn()
    {
        var data = Texts("a", "b");
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Value").Fit(data).Transform(data);
        Assert.Equal(["Value: String hidden", "Value: Key<UInt32, 0-1>"], keyed.Schema.Describe());
    }

    [Fact]
    public void NumbersAndFlagsGetKeysToo()
    {
        Check([3, 1, 3, -7], [1, 2, 1, 3], [3, 1, -7], []);
        Check([2.5f, float.NaN, 0f, 2.5f], [1, 0, 2, 1], [2.5f, 0f], ["2.5", "0"]);
        Check([1e10, double.NaN, 0.1], [1, 0, 2], [1e10, 0.1], ["10000000000", "0.10000000000000001"]);
        Check([true, false, true], [1, 2, 1], [true, false], ["1", "0"]);
        Check([300UL, 4UL], [1, 2], [300UL, 4UL], ["300", "4"]);
        Check([(byte)9, (byte)8], [1, 2], [(byte)9, (byte)8], ["9", "8"]);
        Check([(short)-1, (short)1], [1, 2], [(short)-1, (short)1], ["-1", "1"]);
        Check([long.MinValue, 0L], [1, 2], [long.MinValue, 0L], []);
    }

    [Fact]
    public void VectorsAreMappedItemByItem()
    {
        string[][] rows = [["a", "b"], ["b", "", "c"]];
        var data = _ml.Data.LoadFromEnumerable(rows.Select(r => new Holder<string[]> { Value = r }));
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Value").Fit(data).Transform(data);
        Assert.Equal("Vector<Key<UInt32, 0-2>>", keyed.Schema["Key"].Type.ToString());
        Assert.Equal([2u, 0, 3], keyed.Values<uint[]>("Key")[1]);
        var back = _ml.Transforms.Conversion.MapKeyToValue("Back", "Key").Fit(keyed).Transform(keyed);
        Assert.Equal(["b", "", "c"], back.Values<string[]>("Back")[1]);
    }

    [Fact]
    public void NoMoreKeysThanAllowedAreMade()
    {
        var data = Texts("a", "b", "c", "a");
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Value", maximumNumberOfKeys: 2).Fit(data).Transform(data);
        Assert.Equal([1u, 2, 0, 1], keyed.Values<uint>("Key"));
        Assert.Equal(["a", "b"], keyed.Schema["Key"].KeyValues());
        Assert.ThrowsAny<Exception>(
            () => _ml.Transforms.Conversion.MapValueToKey("Key", "Value", maximumNumberOfKeys: 0).Fit(data));
    }

    [Fact]
    public void KeyDataFixesTheKeys()
    {
        var estimator = _ml.Transforms.Conversion.MapValueToKey("Key", "Value", keyData: Texts("z", "a"));
        var keyed = estimator.Fit(Texts("a")).Transform(Texts("a", "q", "z"));
        Assert.Equal([2u, 0, 1], keyed.Values<uint>("Key"));
        Assert.Equal(["z", "a"], keyed.Schema["Key"].KeyValues());
    }

    [Fact]
    public void SeveralColumnsAtOnce()
    {
        var data = _ml.Data.LoadFromEnumerable(Row.Table(4));
        var keyed = _ml.Transforms.Conversion.MapValueToKey([new("A", "Text"), new("Label")]).Fit(data).Transform(data);
        Assert.Equal([1u, 2, 3, 4], keyed.Values<uint>("A"));
        Assert.Equal([1u, 2, 3, 1], keyed.Values<uint>("Label"));
        var back = _ml.Transforms.Conversion.MapKeyToValue([new("B", "A"), new("Label")]).Fit(keyed).Transform(keyed);
        Assert.Equal(["red", "green", "blue", "red"], back.Values<string>("Label"));
    }

    [Fact]
    public void NothingToMapLeavesOneKeyWithoutValues()
    {
        var data = Texts("", null);
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Value").Fit(data).Transform(data);
        Assert.Equal("Key<UInt32, 0-0>", keyed.Schema["Key"].Type.ToString());
        Assert.Equal([0u, 0], keyed.Values<uint>("Key"));
        Assert.False(keyed.Schema["Key"].HasKeyValues());
    }

    [Fact]
    public void KeysOfKeysKeepTheOriginalValues()
    {
        var data = Texts("b", "a", "b");
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Value").Fit(data).Transform(data);
        var some = _ml.Data.SkipRows(keyed, 1);
        var again = _ml.Transforms.Conversion.MapValueToKey("Again", "Key").Fit(some).Transform(some);
        Assert.Equal([1u, 2], again.Values<uint>("Again"));
        Assert.Equal(["a", "b"], again.Schema["Again"].KeyValues());
    }

    [Fact]
    public void MissingKeysBecomeMissingValues()
    {
        var data = _ml.Data.LoadFromEnumerable(new[] { new Holder<float> { Value = 2.5f }, new Holder<float> { Value = float.NaN } });
        var there = _ml.Transforms.Conversion.MapValueToKey("Key", "Value");
        var andBack = there.Append(_ml.Transforms.Conversion.MapKeyToValue("Back", "Key"));
        var keyed = andBack.Fit(data).Transform(data);
        Assert.Equal([2.5f, float.NaN], keyed.Values<float>("Back"));

        var texts = andBack.Fit(Texts("a")).Transform(Texts("a", "x"));
        Assert.Equal(["a", ""], texts.Values<string>("Back"));
    }

    [Fact]
    public void ColumnsThatCannotBeMappedAreErrors()
    {
        var data = Texts("a");
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Transforms.Conversion.MapValueToKey("Key", "Absent").Fit(data));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.Transforms.Conversion.MapKeyToValue("Back", "Absent").Fit(data));
        Assert.ThrowsAny<Exception>(() => _ml.Transforms.Conversion.MapKeyToValue("Back", "Value").Fit(data));
        var transformer = _ml.Transforms.Conversion.MapValueToKey("Key", "Value").Fit(data);
        var numbers = _ml.Data.LoadFromEnumerable(new[] { new Holder<float> { Value = 1 } });
        Assert.Throws<InvalidOperationException>(() => transformer.Transform(numbers));
        var chain = _ml.Transforms.Conversion.MapValueToKey("Key", "Value")
            .Append(_ml.Transforms.Conversion.MapKeyToValue("Back", "Value"));
        Assert.ThrowsAny<Exception>(() => chain.Fit(data));
    }

    private void Check<T>(T[] values, uint[] keys, T[] keyValues, string[] asText)
    {
        var data = _ml.Data.LoadFromEnumerable(values.Select(v => new Holder<T> { Value = v }));
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Value").Fit(data).Transform(data);
        Assert.Equal(keys, keyed.Values<uint>("Key"));
        Assert.Equal(keyValues, keyed.Schema["Key"].KeyValues<T>());
        var texts = _ml.Transforms.Conversion.MapValueToKey("Key", "Value", addKeyValueAnnotationsAsText: true).Fit(data).Transform(data);
        Assert.True(texts.Schema["Key"].HasKeyValues());
        if (asText.Length > 0)
            Assert.Equal(asText, texts.Schema["Key"].KeyValues());
    }

    private IDataView Texts(params string[] values) =>
        _ml.Data.LoadFromEnumerable(values.Select(v => new Holder<string> { Value = v }).ToArray());

    private sealed class Holder<T>
    {
        public T Value { get; set; }
    }
}
