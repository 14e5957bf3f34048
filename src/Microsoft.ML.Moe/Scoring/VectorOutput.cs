using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>A vector for each row.</summary>
/// <param name="name">Name of the column.</param>
/// <param name="width">Numbers of a vector.</param>
internal sealed class VectorOutput(string name, int width) : OutputColumns
{
    /// <inheritdoc/>
    public override void AddTo(DataViewSchema.Builder builder, DataViewSchema input) =>
        builder.AddColumn(name, new VectorDataViewType(NumberDataViewType.Single, width));

    /// <inheritdoc/>
    public override Delegate CreateGetter(int column, RowResults results, Func<int> current) =>
        (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => Getters.CopyTo(results.OutputsOf(current()), ref value));
}
