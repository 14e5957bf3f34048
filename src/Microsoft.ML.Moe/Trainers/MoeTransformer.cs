using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>What all transformers of this library have in common: they score rows with a trained model.</summary>
/// <remarks>
/// <see cref="ITransformer.Transform"/> scores in batches as rows are read; cursors may run side by side. Disposing ends the use of
/// this transformer; cursors and prediction engines that are in use go on working until they are disposed themselves. A
/// <c>PredictionEngine</c> disposes its transformer unless it was created with <c>OwnsTransformer = false</c>.
/// </remarks>
public abstract class MoeTransformer : ITransformer, IDisposable
{
    private readonly OutputColumns _output;
    private int _disposed;

    private protected MoeTransformer(FittedModel model, OutputColumns output) => (Model, _output) = (model, output);

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => Model.ParameterCount;

    /// <summary>Experts in each MoE layer; 0 in a model without MoE layers, which has nothing to route.</summary>
    public int Experts => Model.Experts;

    /// <summary>The router in use; without effect in a model without MoE layers.</summary>
    public Router Router => Model.Config.Encoder.Router;

    /// <summary>Precision of the weight matrices when scoring; <see cref="InferencePrecision.Full"/> unless changed.</summary>
    public InferencePrecision Precision => Model.Precision;

    bool ITransformer.IsRowToRowMapper => true;

    /// <summary>The model.</summary>
    internal FittedModel Model { get; }

    /// <summary>How often rows, one or a batch, were scored; for tests.</summary>
    internal long ScoringCalls => Model.ScoringCalls;

    /// <summary>Whether the model is still in memory; for tests.</summary>
    internal bool IsModelAlive => Model.IsAlive;

    /// <summary>The schema of a scored table.</summary>
    /// <param name="inputSchema">Schema of the table to score.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Bind(inputSchema).Output;

    /// <summary>Adds what the model gives to a table, as its rows are read.</summary>
    /// <param name="input">The table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ScoringDataView(input, Bind(input.Schema), Model.ReadsInOrder);
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => new ScoringMapper(Bind(inputSchema));

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        using var hold = Hold();
        Registration.Save(ctx, this);
    }

    /// <summary>Ends the use of this transformer; the model is released when its last cursor or prediction engine has gone.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            Model.Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>A hold on the model.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    internal IDisposable Hold()
    {
        var hold = Volatile.Read(ref _disposed) == 0 ? Model.TryHold() : null;
        return hold ?? throw Disposed();
    }

    /// <summary>Under which kind, and with which files, it is saved.</summary>
    internal abstract ModelRegistration Registration { get; }

    /// <summary>Under which kind a transformer is saved.</summary>
    private protected static ModelRegistration KindOf<T>()
        where T : ISavedTransformer<T> => T.Kind;

    /// <summary>A model made from this one's weights, which it holds until it is disposed.</summary>
    /// <param name="change">Makes the model; is given the hold.</param>
    private protected T Share<T>(Func<IDisposable, T> change)
    {
        var hold = Hold();
        try
        {
            return change(hold);
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    private BoundModel Bind(DataViewSchema input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (Volatile.Read(ref _disposed) != 0)
            throw Disposed();
        return new BoundModel(
            input,
            Model.Find(new NamedSchema(input, TableName.ToScore)),
            _output,
            (row, columns, rows, withEntropies) =>
                (Volatile.Read(ref _disposed) == 0 ? Model.CreateResults(row, columns, rows, withEntropies) : null) ?? throw Disposed());
    }

    private ObjectDisposedException Disposed() => new(
        GetType().Name,
        "The transformer was disposed. A PredictionEngine disposes its transformer when it is disposed; create it with "
        + "new PredictionEngineOptions { OwnsTransformer = false } to go on using the transformer.");
}
