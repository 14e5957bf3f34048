using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class PipelineTests
{
    private readonly MLContext _ml = new(1);
    private readonly IDataView _data;

    public PipelineTests() => _data = _ml.Data.LoadFromEnumerable(Row.Table(6));

    [Fact]
    public void ChainsFitOneAfterTheOther()
    {
        var chain = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Append(_ml.Transforms.Conversion.MapKeyToValue("Back", "Key"));
        var model = chain.Fit(_data);
        Assert.Equal(2, model.Count());
        Assert.Same(model.Last(), model.LastTransformer);
        Assert.Equal(_data.Values<string>("Label"), model.Transform(_data).Values<string>("Back"));
        Assert.Equal(model.GetOutputSchema(_data.Schema).Describe(), model.Transform(_data).Schema.Describe());
    }

    [Fact]
    public void AnEmptyChainIsTheIdentity()
    {
        var model = new EstimatorChain<ITransformer>().Fit(_data);
        Assert.Same(_data, model.Transform(_data));
        Assert.Null(model.LastTransformer);
        Assert.Empty(model);
    }

    [Fact]
    public void BadColumnsAreFoundBeforeAnythingIsFitted()
    {
        var fitted = false;
        var chain = _ml.Transforms.CopyColumns("A", "Text").WithOnFitDelegate(_ => fitted = true)
            .Append(_ml.Transforms.CopyColumns("B", "Absent"));
        Assert.Throws<ArgumentOutOfRangeException>(() => chain.Fit(_data));
        Assert.False(fitted);
    }

    [Fact]
    public void OnFitDelegateSeesTheTransformer()
    {
        ITransformer seen = null;
        var model = _ml.Transforms.CopyColumns("A", "Text").WithOnFitDelegate(t => seen = t)
            .Append(_ml.Transforms.CopyColumns("B", "A")).Fit(_data);
        Assert.Same(model.First(), seen);
    }

    [Fact]
    public void CacheCheckpointSparesThePasses()
    {
        int Passes(Func<EstimatorChain<ITransformer>, EstimatorChain<ITransformer>> change)
        {
            var passes = 0;
            var data = _ml.Data.LoadFromEnumerable(Counted());
            var chain = change(new EstimatorChain<ITransformer>().Append<ITransformer>(_ml.Transforms.CopyColumns("Copy", "Label")));
            chain.Append(_ml.Transforms.Conversion.MapValueToKey("Key1", "Copy"))
                .Append(_ml.Transforms.Conversion.MapValueToKey("Key2", "Copy"))
                .Append(_ml.Transforms.Conversion.MapValueToKey("Key3", "Copy")).Fit(data);
            return passes;

            IEnumerable<Row> Counted()
            {
                passes++;
                foreach (var row in Row.Table(5))
                    yield return row;
            }
        }

        Assert.Equal(3, Passes(chain => chain));
        Assert.Equal(1, Passes(chain => chain.AppendCacheCheckpoint(_ml)));
    }

    [Fact]
    public void ACheckpointChangesNoResult()
    {
        var plain = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Append(_ml.Transforms.CopyColumns("Copy", "Key")).Fit(_data);
        var cached = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").AppendCacheCheckpoint(_ml)
            .Append(_ml.Transforms.CopyColumns("Copy", "Key")).Fit(_data);
        Assert.Equal(plain.Transform(_data).Values<uint>("Copy"), cached.Transform(_data).Values<uint>("Copy"));
        Assert.Equal(2, cached.Count());
    }

    [Fact]
    public void ScopesChooseTransformers()
    {
        var model = _ml.Transforms.CopyColumns("A", "Text")
            .Append(_ml.Transforms.CopyColumns("B", "Text"), TransformerScope.TrainTest)
            .Append(_ml.Transforms.CopyColumns("C", "Text"), TransformerScope.Scoring).Fit(_data);
        Assert.DoesNotContain("B", model.Transform(_data).Schema.Select(c => c.Name));
        Assert.Contains("B", model.Transform(_data, TransformerScope.Everything).Schema.Select(c => c.Name));
        Assert.Equal(2, model.GetModelFor(TransformerScope.Training).Count());
    }

    [Fact]
    public void TransformersChainToo()
    {
        var a = _ml.Transforms.CopyColumns("A", "Text").Fit(_data);
        var b = _ml.Transforms.CopyColumns("B", "A").Fit(a.Transform(_data));
        var chain = a.Append(b);
        Assert.Equal(_data.Values<string>("Text"), chain.Transform(_data).Values<string>("B"));
    }

    [Fact]
    public void DisposingAChainDisposesItsPartsOnce()
    {
        var part = new Disposable();
        var chain = new TransformerChain<ITransformer>(part);
        chain.Dispose();
        chain.Dispose();
        Assert.Equal(1, part.Disposals);
    }

    [Fact]
    public void NothingReadsTheDataBeforeItIsAskedFor()
    {
        var passes = 0;
        var model = _ml.Transforms.CopyColumns("A", "Text").Append(_ml.Transforms.Concatenate("B", "Number")).Fit(_data);
        var result = model.Transform(_ml.Data.LoadFromEnumerable(Counted()));
        Assert.Equal(0, passes);
        Assert.Equal(2, result.Values<string>("A").Length);
        Assert.Equal(1, passes);

        IEnumerable<Row> Counted()
        {
            passes++;
            foreach (var row in Row.Table(2))
                yield return row;
        }
    }

    private sealed class Disposable : ITransformer, IDisposable
    {
        public int Disposals { get; private set; }

        public bool IsRowToRowMapper => false;

        public void Dispose() => Disposals++;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();

        public void Save(ModelSaveContext ctx) => throw new NotSupportedException();

        public IDataView Transform(IDataView input) => input;
    }
}
