using Microsoft.ML.Data;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Transforms;

public sealed class ColumnConcatenatingEstimator : IEstimator<ColumnConcatenatingTransformer>
{
    private readonly IHostEnvironment _env;
    private readonly string _output;
    private readonly string[] _inputs;

    internal ColumnConcatenatingEstimator(IHostEnvironment env, string outputColumnName, params string[] inputColumnNames)
    {
        Contracts.CheckNonEmpty(outputColumnName, nameof(outputColumnName));
        Contracts.CheckValue(inputColumnNames, nameof(inputColumnNames));
        Contracts.CheckParam(
            !inputColumnNames.Any(string.IsNullOrEmpty), nameof(inputColumnNames), "Contained some null or empty items");
        _env = env;
        _output = outputColumnName;
        _inputs = inputColumnNames;
    }

    public ColumnConcatenatingTransformer Fit(IDataView input)
    {
        Contracts.CheckValue(input, nameof(input));
        return new ColumnConcatenatingTransformer(_env, _output, _inputs);
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        Contracts.CheckValue(inputSchema, nameof(inputSchema));
        var columns = _inputs.Select(name => ColumnPairs.Find(inputSchema, name)).ToArray();
        var first = columns.FirstOrDefault();
        foreach (var column in columns)
        {
            Contracts.Check(!column.IsKey, $"Column '{column.Name}' is key. Concatenation of keys is unsupported.");
            Contracts.Check(
                column.ItemType.Equals(first.ItemType),
                $"Concatenated columns should have the same type. Column '{column.Name}' has type of {column.ItemType}, " +
                $"but expected column type is {first.ItemType}.");
        }

        var isVariable = columns.Any(c => c.Kind == SchemaShape.Column.VectorKind.VariableVector);
        var named = columns.Any(c => c.Kind == SchemaShape.Column.VectorKind.Scalar ||
            c.Annotations.TryFindColumn(AnnotationUtils.Kinds.SlotNames, out _));
        var names = new SchemaShape.Column(
            AnnotationUtils.Kinds.SlotNames, SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance, false);
        var kind = isVariable ? SchemaShape.Column.VectorKind.VariableVector : SchemaShape.Column.VectorKind.Vector;
        return inputSchema.With(
            [new SchemaShape.Column(_output, kind, first.ItemType, first.IsKey, new SchemaShape(named && !isVariable ? [names] : []))]);
    }
}
