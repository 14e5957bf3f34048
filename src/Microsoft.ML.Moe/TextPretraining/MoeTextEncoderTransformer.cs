using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.TextPretraining;

namespace Microsoft.ML.Moe;

/// <summary>
/// Turns text into vectors with an encoder that <see cref="MoeTextPretrainer"/> has trained: the mean of the vectors of its tokens in
/// context. Saved and loaded with <c>mlContext.Model</c>, without any registration, and a start for classifiers
/// (<see cref="MoeInitialModel"/>).
/// </summary>
/// <remarks>
/// Texts beyond the encoder's maximum number of tokens are cut off. <see cref="ITransformer.Transform"/> encodes in batches as rows
/// are read; cursors may run side by side. Disposing ends the use of this transformer; cursors and prediction engines that are in use
/// go on working until they are disposed themselves.
/// </remarks>
public sealed class MoeTextEncoderTransformer : ITransformer, IDisposable
{
    private readonly SharedModel<PretrainedTextEncoder> _shared;
    private int _disposed;

    internal MoeTextEncoderTransformer(
        TextEncoderColumns columns, SharedModel<PretrainedTextEncoder> shared, TextTokenizer? tokenizer)
    {
        Columns = columns;
        _shared = shared;
        Tokenizer = tokenizer;
        Rows = new TextRows(columns.Input, second: null, shared.Model.Input);
    }

    /// <summary>Numbers in a text's vector.</summary>
    public int Width => _shared.Model.Width;

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => _shared.Model.ParameterCount;

    /// <summary>The router in use; without effect in a model without MoE layers.</summary>
    public RouterSettings Router => _shared.Model.Router;

    bool ITransformer.IsRowToRowMapper => true;

    internal TextEncoderColumns Columns { get; }

    internal TextTokenizer? Tokenizer { get; }

    internal TextRows Rows { get; }

    /// <summary>How often rows, one or a batch, were encoded; for tests.</summary>
    internal long ScoringCalls => _shared.ScoringCalls;

    /// <summary>Whether the encoder is still in memory; for tests.</summary>
    internal bool IsModelAlive => _shared.IsAlive;

    /// <summary>The schema of an encoded table.</summary>
    /// <param name="inputSchema">Schema of the table to encode.</param>
    /// <exception cref="ArgumentOutOfRangeException">The text column is missing or not text.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).Output;

    /// <summary>Adds the texts' vectors to a table, as its rows are read.</summary>
    /// <param name="input">The table.</param>
    /// <exception cref="ArgumentOutOfRangeException">The text column is missing or not text.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringDataView(input, Bind(input.Schema));
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new ScoringMapper(Bind(inputSchema));

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        using var lease = Lease();
        TextEncoderModel.Save(ctx, this, lease.Model);
    }

    /// <summary>Ends the use of this transformer; the model is released when its last cursor or prediction engine has gone.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _shared.Release();
    }

    /// <summary>A hold on the encoder for a cursor or a row.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    internal ModelLease<PretrainedTextEncoder> Lease()
    {
        ObjectDisposedException.ThrowIf(_disposed != 0 || !_shared.TryAcquire(), this);
        return new ModelLease<PretrainedTextEncoder>(_shared);
    }

    private BoundEncoder Bind(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return new BoundEncoder(this, input);
    }
}
