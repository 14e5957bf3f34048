using System.IO.Compression;
using System.Text;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Tests.Persistence;
using Microsoft.ML.Runtime;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.Moe.Tests;

/// <summary>What this library takes for granted of ML.NET and could not notice otherwise. A failure here explains others.</summary>
public sealed class MlNetAssumptionsTests
{
    private readonly MLContext _ml = new(seed: 7);

    [Fact]
    public void PredictionEngineDisposesItsTransformerButNeverTheRow()
    {
        var owned = new Watched();
        _ml.Model.CreatePredictionEngine<Input, Input>(owned).Dispose();
        Assert.Equal((1, 0), (owned.Disposals, owned.RowDisposals));

        var lent = new Watched();
        _ml.Model.CreatePredictionEngine<Input, Input>(lent, new PredictionEngineOptions { OwnsTransformer = false }).Dispose();
        Assert.Equal((0, 0), (lent.Disposals, lent.RowDisposals));
    }

    [Fact]
    public void ChainsKeepTheirEstimatorsInAFieldOfThisName()
    {
        IEstimator<ITransformer> Copy(string name) => _ml.Transforms.CopyColumns(name, "Text");
        var inner = Copy("B").Append(Copy("C"));
        Assert.Equal(4, EstimatorSteps.Of(Copy("A").Append(inner).Append(Copy("D"))).Count());
        Assert.Single(EstimatorSteps.Of(Copy("A")));
    }

    [Fact]
    public void BertTokenizerJoinsWordsAtLineEnds()
    {
        var vocabulary = new MemoryStream(Encoding.UTF8.GetBytes("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\nhelloworld\n"));
        Tokenizer tokenizer = BertTokenizer.Create(vocabulary);
        Assert.Equal([5, 6], tokenizer.EncodeToIds("hello world"));
        Assert.Equal([7], tokenizer.EncodeToIds("hello\nworld"));
    }

    [SkippableTheory]
    [InlineData(
        "Unaffable [MASK] nai\u0308ve cafe\u0301, tokenization 2024!",
        new[] { 14477, 20961, 3468, 103, 15743, 7668, 1010, 19204, 3989, 16798, 2549, 999 })]
    [InlineData("The quick brown fox jumps over the lazy dog.", new[] { 1996, 4248, 2829, 4419, 14523, 2058, 1996, 13971, 3899, 1012 })]
    public void IdsOfBertBaseUncased(string text, int[] ids)
    {
        var path = SharedFolder.Find("data/tokenizers/bert-base-uncased.vocab.txt");
        Skip.If(path is null, "The vocabulary of bert-base-uncased is not at hand.");
        Tokenizer tokenizer = BertTokenizer.Create(path, new BertOptions { RemoveNonSpacingMarks = true });
        Assert.Equal(ids, tokenizer.EncodeToIds(text));
    }

    [Fact]
    public void SeedAndGpuReachTheHost()
    {
        _ml.GpuDeviceId = 3;
        _ml.FallbackToCpu = true;
        var host = ((IHostEnvironment)_ml).Register("Trainer");
        Assert.Equal(7, Environments.SeedOf(host));
        Assert.Equal((3, true), Environments.GpuOf(host));
        Assert.Null(Environments.SeedOf(new MLContext()));
    }

    [Fact]
    public void CancellingTheContextIsSeenByItsHosts()
    {
        var host = ((IHostEnvironment)_ml).Register("Trainer");
        Environments.ThrowIfCanceled(host);
        _ml.Cancel();
        Assert.Throws<OperationCanceledException>(() => Environments.ThrowIfCanceled(host));
    }

    [Fact]
    public void ProgressRejectsMoreValuesThanItsHeaderNames()
    {
        using var progress = ((IHostEnvironment)_ml).StartProgressChannel("Fit");
        progress.SetHeader(new ProgressHeader(["loss"], ["epochs"]), entry => entry.SetMetric(0, 1));
        progress.Checkpoint(0.5, 1, 10);
        Assert.Throws<InvalidOperationException>(() => progress.Checkpoint(0.5, 1, 10, 11));
    }

    [Fact]
    public void ASavedChainIsAZipWithAFolderForEachTransformer()
    {
        var data = _ml.Data.LoadFromEnumerable([new Input()]);
        using var stream = new MemoryStream();
        _ml.Model.Save(_ml.Transforms.CopyColumns("A", "Text").Append(_ml.Transforms.CopyColumns("B", "A")).Fit(data), data.Schema, stream);
        using var zip = new ZipArchive(stream);
        var names = zip.Entries.Select(e => e.FullName.Replace('\\', '/')).ToArray();
        Assert.Contains("Schema", names);
        Assert.Contains("TransformerChain/Transform_001/Model.key", names);
    }

    [Fact]
    public void ErrorsOfATransformerThatIsSavedArePassedOn()
    {
        using var stream = new MemoryStream();
        var error = Assert.ThrowsAny<Exception>(() => _ml.Model.Save(new Unsaveable(), null, stream));
        Assert.Contains("No.", error.ToString(), StringComparison.Ordinal);
    }

    private sealed class Input
    {
        public string Text { get; set; } = "";
    }

    /// <summary>Counts what is disposed of.</summary>
    private sealed class Watched : ITransformer, IRowToRowMapper, IDisposable
    {
        private DataViewSchema? _schema;

        public int Disposals { get; private set; }

        public int RowDisposals { get; private set; }

        public bool IsRowToRowMapper => true;

        public DataViewSchema InputSchema => _schema!;

        public DataViewSchema OutputSchema => _schema!;

        public void Dispose() => Disposals++;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema)
        {
            _schema = inputSchema;
            return this;
        }

        public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns) => dependingColumns;

        public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns) => new WatchedRow(input, () => RowDisposals++);

        public void Save(ModelSaveContext ctx) => throw new NotSupportedException();

        public IDataView Transform(IDataView input) => input;
    }

    private sealed class WatchedRow(DataViewRow row, Action disposed) : DataViewRow
    {
        public override DataViewSchema Schema => row.Schema;

        public override long Position => row.Position;

        public override long Batch => row.Batch;

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => row.GetGetter<TValue>(column);

        public override ValueGetter<DataViewRowId> GetIdGetter() => row.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column column) => row.IsColumnActive(column);

        protected override void Dispose(bool disposing)
        {
            disposed();
            base.Dispose(disposing);
        }
    }

    private sealed class Unsaveable : ITransformer
    {
        public bool IsRowToRowMapper => false;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => inputSchema;

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();

        public IDataView Transform(IDataView input) => input;

        public void Save(ModelSaveContext ctx) => throw new InvalidOperationException("No.");
    }
}
