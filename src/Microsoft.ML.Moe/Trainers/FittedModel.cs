using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>A trained model together with what reads its rows from a table, whatever kind of rows they are.</summary>
internal abstract class FittedModel
{
    /// <summary>Input, architecture and head.</summary>
    public abstract ModelConfig Config { get; }

    /// <summary>Numbers that the model gives for a row.</summary>
    public abstract int Outputs { get; }

    /// <summary>Experts in each MoE layer, N; 0 in a model without MoE layers.</summary>
    public abstract int Experts { get; }

    /// <summary>Number of trained values.</summary>
    public abstract long ParameterCount { get; }

    /// <summary>Precision of the weight matrices when scoring.</summary>
    public abstract InferencePrecision Precision { get; }

    /// <summary>How often rows, one or a batch, were scored.</summary>
    public abstract long ScoringCalls { get; }

    /// <summary>Whether the model is still in memory.</summary>
    public abstract bool IsAlive { get; }

    /// <summary>Ends the use by the transformer that owns it.</summary>
    public abstract void Release();

    /// <summary>Takes a hold on the model; null when it has gone.</summary>
    public abstract IDisposable? TryHold();

    /// <summary>Finds the columns that are read.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is missing or of the wrong type; the message names it.</exception>
    public abstract DataViewSchema.Column[] Find(NamedSchema schema);

    /// <summary>See <see cref="RowSource{TRow}.ReadsInOrder"/>.</summary>
    public abstract bool ReadsInOrder { get; }

    /// <summary>Takes a hold on the model and makes room for results; null when it has gone.</summary>
    public abstract RowResults? CreateResults(DataViewRow row, DataViewSchema.Column[] columns, int rows, bool withEntropies);

    /// <summary>A model with another router over the same weights, which it holds.</summary>
    public abstract FittedModel WithRouting(Router router, IDisposable hold);

    /// <summary>A model with its adapters worked into weights of its own; it shares all others with this one, which it holds.</summary>
    /// <exception cref="InvalidOperationException">There are none.</exception>
    public abstract FittedModel Merged(IDisposable hold);

    /// <summary>A model in another precision over the same weights, which it holds.</summary>
    public abstract FittedModel WithPrecision(InferencePrecision precision, IDisposable hold);

    /// <summary>This model once more, with a hold of its own.</summary>
    public abstract FittedModel Again(IDisposable hold);

    /// <summary>Measures what the model does with other routers.</summary>
    public abstract IReadOnlyList<RoutingComparison> CompareRouting(
        IDataView data, IReadOnlyList<Router> routers, string label, LabelValues? labels);

    /// <summary>Tells what the routers do with a table.</summary>
    public abstract RoutingReport ReportRouting(IDataView data, RoutingReportOptions? options, CancellationToken cancellationToken);

    /// <summary>What training of another model can start from.</summary>
    public abstract WarmStart ToWarmStart(IReadOnlyList<int>? classes, IReadOnlyList<int>? tokens);

    /// <summary>The network's parameters.</summary>
    public abstract IEnumerable<Parameter> Parameters { get; }

    /// <summary>Writes the values of the adapters alone.</summary>
    /// <exception cref="InvalidOperationException">The model has none.</exception>
    public abstract void SaveAdapters(Stream stream);

    /// <summary>Saves the model, its matrices in a type to which they are rounded; null for each parameter as it is.</summary>
    public abstract void Save(Stream config, Stream weights, ElementType? matrices = ElementType.Float32);

    /// <summary>Writes the adapters into a folder as the library peft does.</summary>
    /// <exception cref="InvalidOperationException">There are none.</exception>
    public abstract void SaveAdapters(string folder);
}

/// <inheritdoc/>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="shared">The model.</param>
/// <param name="rows">Reads its rows.</param>
/// <param name="createResults">Makes room for what the model gives for rows; null for numbers of each.</param>
internal sealed class FittedModel<TRow>(
    SharedModel<Model<TRow>> shared, RowSource<TRow> rows, RowResults.Factory<TRow>? createResults = null) : FittedModel
{
    /// <summary>The model, while it is held.</summary>
    public Model<TRow> Network => shared.Model;

    /// <inheritdoc/>
    public override ModelConfig Config => shared.Model.Config;

    /// <inheritdoc/>
    public override int Outputs => shared.Model.Outputs;

    /// <inheritdoc/>
    public override int Experts => shared.Model.Experts;

    /// <inheritdoc/>
    public override long ParameterCount => shared.Model.ParameterCount;

    /// <inheritdoc/>
    public override InferencePrecision Precision => shared.Model.Precision;

    /// <inheritdoc/>
    public override long ScoringCalls => shared.ScoringCalls;

    /// <inheritdoc/>
    public override bool IsAlive => shared.IsAlive;

    /// <inheritdoc/>
    public override void Release() => shared.Release();

    /// <inheritdoc/>
    public override ModelLease<Model<TRow>>? TryHold() => shared.TryAcquire() ? new ModelLease<Model<TRow>>(shared) : null;

    /// <inheritdoc/>
    public override DataViewSchema.Column[] Find(NamedSchema schema) => rows.Find(schema);

    /// <inheritdoc/>
    public override bool ReadsInOrder => rows.ReadsInOrder;

    /// <inheritdoc/>
    public override RowResults? CreateResults(DataViewRow row, DataViewSchema.Column[] columns, int most, bool withEntropies)
    {
        var read = rows.CreateReader(row, columns);
        if (TryHold() is not { } lease)
            return null;
        return createResults?.Invoke(lease, read, most, withEntropies) ?? new RowResults<TRow>(lease, read, most, withEntropies);
    }

    /// <inheritdoc/>
    public override FittedModel WithRouting(Router router, IDisposable hold) => Over(shared.Model.WithRouting(router), hold);

    /// <inheritdoc/>
    public override FittedModel Merged(IDisposable hold) => Over(shared.Model.Merged(), hold);

    /// <inheritdoc/>
    public override FittedModel WithPrecision(InferencePrecision precision, IDisposable hold) =>
        Over(shared.Model.WithPrecision(precision), hold);

    /// <inheritdoc/>
    public override FittedModel Again(IDisposable hold) => Over(shared.Model, hold);

    /// <summary>The same model, whose rows are read otherwise; holds this one.</summary>
    public FittedModel<TRow> Reading(Func<Model<TRow>, RowSource<TRow>> rowsOf, IDisposable hold) =>
        new(new SharedModel<Model<TRow>>(shared.Model, shared.Engine, hold), rowsOf(shared.Model), createResults);

    /// <summary>A model made of this one, which it holds.</summary>
    public FittedModel<TRow> With(Func<Model<TRow>, Model<TRow>> change, IDisposable hold) => Over(change(shared.Model), hold);

    /// <summary>What is to be told of the model and the rows of a table.</summary>
    public T Report<T>(IDataView data, Func<Model<TRow>, IEnumerable<TRow>, T> report) => report(shared.Model, Read(data, rows.Find(data.Schema)));

    /// <summary>What is to be told of the model and the labelled rows of a table.</summary>
    /// <exception cref="InvalidOperationException">There are none whose label is known.</exception>
    public T Report<T>(IDataView data, string label, LabelValues? labels, Func<Model<TRow>, IReadOnlyList<Example<TRow>>, T> report) =>
        report(shared.Model, ReadLabelled(data, label, labels, TableName.ToMeasureOn));

    /// <inheritdoc/>
    public override IReadOnlyList<RoutingComparison> CompareRouting(
        IDataView data, IReadOnlyList<Router> routers, string label, LabelValues? labels)
    {
        return shared.Model.CompareRouting(ReadLabelled(data, label, labels, TableName.ToCompareOn), routers);
    }

    /// <inheritdoc/>
    public override RoutingReport ReportRouting(IDataView data, RoutingReportOptions? options, CancellationToken cancellationToken) =>
        shared.Model.ReportRouting(Read(data, rows.Find(data.Schema)), options, cancellationToken);

    /// <inheritdoc/>
    public override WarmStart ToWarmStart(IReadOnlyList<int>? classes, IReadOnlyList<int>? tokens) =>
        WarmStart.From(shared.Model, classes, tokens);

    /// <inheritdoc/>
    public override IEnumerable<Parameter> Parameters => shared.Model.Parameters.All.Select(p => p.Parameter);

    /// <inheritdoc/>
    public override void SaveAdapters(Stream stream) => shared.Model.SaveAdapters(stream);

    /// <inheritdoc/>
    public override void Save(Stream config, Stream weights, ElementType? matrices = ElementType.Float32) =>
        shared.Model.Save(config, weights, matrices);

    /// <inheritdoc/>
    public override void SaveAdapters(string folder) => shared.Model.SaveAdapters(folder);

    private IReadOnlyList<Example<TRow>> ReadLabelled(IDataView data, string label, LabelValues? labels, TableName name)
    {
        var schema = new NamedSchema(data.Schema, name);
        var columns = rows.Find(schema);
        var labelColumn = InputColumns.Find(schema, label, "label");
        var table = new LabelledTableReader<TRow>(checkGoesOn: null, rows, shared.Engine).Read(
            data, columns, labelColumn, weight: null, row => LabelReader.Matching(row, labelColumn, Outputs, labels, schema.Table.Text));
        table.BadRows.Tell(schema.Table, table.Rows.Count, channel: null);
        return table.Rows.Count > 0
            ? table.Rows
            : throw new InvalidOperationException(
                $"The table has no rows whose label, in column '{label}', is among the training set's.");
    }

    private IEnumerable<TRow> Read(IDataView data, DataViewSchema.Column[] columns)
    {
        using var cursor = rows.Open(data, columns);
        var read = rows.CreateReader(cursor, columns);
        var batch = new RowBatch<TRow>(shared.Engine);
        for (var more = true; more; batch.Clear())
        {
            while (!batch.IsFull && (more = cursor.MoveNext()))
                batch.Read(read);
            foreach (var row in batch.Encode())
                yield return row;
        }
    }

    private FittedModel<TRow> Over(Model<TRow> model, IDisposable hold) => new(new SharedModel<Model<TRow>>(model, shared.Engine, hold), rows, createResults);
}
