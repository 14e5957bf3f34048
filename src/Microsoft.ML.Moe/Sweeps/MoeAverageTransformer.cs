using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Sweeps;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The mean of what several models predict: the last step of what a sweep with <see cref="SweepOptions.EnsembleSize"/> gives. The columns have
/// the names and types of the members' own.
/// </summary>
public sealed class MoeAverageTransformer : ITransformer, ISavedTransformer<MoeAverageTransformer>
{
    private const string ColumnsEntry = "Columns.json";
    private const int MaximumColumnsBytes = 1 << 16;
    private const int MaximumMembers = 1024;
    private readonly AverageColumns _columns;
    private readonly IHost _host;

    internal MoeAverageTransformer(IHostEnvironment environment, AverageColumns columns) =>
        (_host, _columns) = (environment.Register(nameof(MoeAverageTransformer)), columns);

    /// <summary>Number of models whose predictions are averaged.</summary>
    public int Members => _columns.Inputs.Count;

    bool ITransformer.IsRowToRowMapper => true;

    static ModelRegistration ISavedTransformer<MoeAverageTransformer>.Kind => Registration;

    private static ModelRegistration Registration { get; } = new("MOEAVERG", ModelRegistration.AverageLoader, (folder, transformer) =>
        JsonEntry.Write(folder, ColumnsEntry, ((MoeAverageTransformer)transformer)._columns));

    static MoeAverageTransformer ISavedTransformer<MoeAverageTransformer>.Read(ModelFolderReader folder)
    {
        var columns = JsonEntry.Read<AverageColumns>(folder, ColumnsEntry, MaximumColumnsBytes);
        var isWhole = columns.Inputs.Count is > 0 and <= MaximumMembers
            && Enum.IsDefined(columns.Kind)
            && (columns.Kind is AverageKind.Value || columns.PredictedLabel is not null)
            && (columns.Kind is not AverageKind.Binary || columns.Probability is not null);
        return isWhole ? new(folder.Environment, columns) : throw new InvalidDataException($"{ColumnsEntry} is damaged: {columns}.");
    }

    /// <summary>The schema of an averaged table.</summary>
    /// <param name="inputSchema">Schema of a table with the members' predictions.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Transform(new EmptyDataView(_host, inputSchema)).Schema;

    /// <summary>Adds the means to a table, as its rows are read.</summary>
    /// <param name="input">The table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return Map(input);
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Map(new EmptyDataView(_host, inputSchema));

    void ICanSaveModel.Save(ModelSaveContext ctx) => Registration.Save(ctx, this);

    private RowToRowMapperTransform Map(IDataView input) => new(_host, input, Mapper(input.Schema), Mapper);

    private IRowMapper Mapper(DataViewSchema schema) => _columns.Kind is AverageKind.Classes
        ? new ClassesMapper(this, schema)
        : new NumberMapper(this, schema);

    /// <summary>What both mappers share.</summary>
    private abstract class AverageMapper : IRowMapper
    {
        private readonly MoeAverageTransformer _owner;

        protected AverageMapper(MoeAverageTransformer owner, DataViewSchema schema)
        {
            _owner = owner;
            Inputs = [.. Columns.Inputs.Select(name => Find(schema, name))];
        }

        protected AverageColumns Columns => _owner._columns;

        protected DataViewSchema.Column[] Inputs { get; }

        public abstract DataViewSchema.DetachedColumn[] GetOutputColumns();

        public Func<int, bool> GetDependencies(Func<int, bool> activeOutput)
        {
            var isAny = Enumerable.Range(0, GetOutputColumns().Length).Any(activeOutput);
            var read = isAny ? Inputs.Select(column => column.Index).ToHashSet() : [];
            return read.Contains;
        }

        public Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action disposer)
        {
            disposer = static () => { };
            return [.. Enumerable.Range(0, GetOutputColumns().Length).Select(column => activeOutput(column) ? Getter(input, column) : null!)];
        }

        public ITransformer GetTransformer() => _owner;

        void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)_owner).Save(ctx);

        protected static DataViewSchema.Column Find(DataViewSchema schema, string name) => schema.GetColumnOrNull(name)
            ?? throw new ArgumentOutOfRangeException(nameof(schema), $"There is no column '{name}', which {nameof(MoeAverageTransformer)} reads.");

        protected abstract Delegate Getter(DataViewRow row, int column);
    }

    /// <summary>Averages probabilities of classes.</summary>
    private sealed class ClassesMapper : AverageMapper
    {
        private readonly DataViewSchema.DetachedColumn[] _output;
        private readonly int _classes;

        public ClassesMapper(MoeAverageTransformer owner, DataViewSchema schema)
            : base(owner, schema)
        {
            foreach (var column in Inputs)
                if (column.Type is not VectorDataViewType { ItemType: NumberDataViewType { RawType: var raw }, Size: > 0 } || raw != typeof(float)
                    || !column.Type.Equals(Inputs[0].Type))
                    throw new ArgumentOutOfRangeException(
                        nameof(schema), $"Column '{column.Name}' is of type {column.Type}, not a vector of as many Single as the others.");
            var predicted = Find(schema, Columns.PredictedLabel!);
            _classes = ((VectorDataViewType)Inputs[0].Type).Size;
            if (predicted.Type is not KeyDataViewType { RawType: var key, Count: var count } || key != typeof(uint) || count != (ulong)_classes)
                throw new ArgumentOutOfRangeException(
                    nameof(schema),
                    $"Column '{predicted.Name}' is of type {predicted.Type}, not a key of {_classes} values: put MapKeyToValue after what is averaged.");
            _output = [new(predicted.Name, predicted.Type, predicted.Annotations), new(Columns.Score, Inputs[^1].Type, Inputs[^1].Annotations)];
        }

        public override DataViewSchema.DetachedColumn[] GetOutputColumns() => _output;

        protected override Delegate Getter(DataViewRow row, int column)
        {
            var getters = Array.ConvertAll(Inputs, row.GetGetter<VBuffer<float>>);
            var (buffer, mean) = (default(VBuffer<float>), new float[_classes]);
            if (column == 0)
                return (ValueGetter<uint>)((ref uint value) =>
                {
                    Average();
                    value = float.IsNaN(mean[0]) ? 0 : (uint)Array.IndexOf(mean, mean.Max()) + 1;
                });
            return (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                Average();
                Getters.CopyTo(mean, ref value);
            });

            void Average()
            {
                Array.Clear(mean);
                foreach (var getter in getters)
                {
                    getter(ref buffer);
                    foreach (var (slot, probability) in buffer.Items())
                        mean[slot] += probability / getters.Length;
                }
            }
        }
    }

    /// <summary>Averages probabilities of true, or numbers.</summary>
    private sealed class NumberMapper : AverageMapper
    {
        private readonly DataViewSchema.DetachedColumn[] _output;
        private readonly bool _isBinary;

        public NumberMapper(MoeAverageTransformer owner, DataViewSchema schema)
            : base(owner, schema)
        {
            foreach (var column in Inputs)
                if (column.Type != NumberDataViewType.Single)
                    throw new ArgumentOutOfRangeException(nameof(schema), $"Column '{column.Name}' is of type {column.Type}, not Single.");
            _isBinary = Columns.Kind is AverageKind.Binary;
            string[] names = _isBinary ? [Columns.Score, Columns.PredictedLabel!, Columns.Probability!] : [Columns.Score];
            _output = Array.ConvertAll(names, name => new DataViewSchema.DetachedColumn(
                name,
                name == Columns.PredictedLabel ? BooleanDataViewType.Instance : NumberDataViewType.Single,
                Find(schema, name).Annotations));
        }

        public override DataViewSchema.DetachedColumn[] GetOutputColumns() => _output;

        protected override Delegate Getter(DataViewRow row, int column)
        {
            var getters = Array.ConvertAll(Inputs, row.GetGetter<float>);
            return (column, _isBinary) switch
            {
                (1, _) => (ValueGetter<bool>)((ref bool value) => value = Average() > 0.5),
                (0, true) => (ValueGetter<float>)((ref float value) => value = LogOdds(Average())),
                _ => (ValueGetter<float>)((ref float value) => value = (float)Average()),
            };

            static float LogOdds(double probability) => (float)Math.Log(probability / (1 - probability));

            double Average()
            {
                var (sum, value) = (0.0, 0f);
                foreach (var getter in getters)
                {
                    getter(ref value);
                    sum += value;
                }

                return sum / getters.Length;
            }
        }
    }
}
