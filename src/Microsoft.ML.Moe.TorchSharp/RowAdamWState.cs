using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>A table with sparse rows: those that have a gradient change, and every row counts its own steps.</summary>
internal sealed class RowAdamWState(string name, TorchTensor tensor, ParameterGroup group) : AdamWState(name, tensor, group)
{
    protected override int[] Steps { get; set; } = new int[tensor.Shape[0]];

    /// <summary>Updates the rows that have a gradient.</summary>
    public void Step(float learningRateFactor)
    {
        using var scope = torch.NewDisposeScope();
        if (Gradient() is not var (rows, rowsU, gradientUD))
            return;
        var rate = Group.LearningRate * learningRateFactor;
        var scalesU1 = Tensor.Engine.Device.Upload(Scales(rows, rate), [2 * rows.Length, 1]);
        var (firstVD, secondVD, valueVD) = (Rows(First), Rows(Second), Rows(Tensor.Value));
        var firstUD = firstVD.index_select(0, rowsU).mul_(Scalars.Of(Group.Beta1)).add_(gradientUD, Scalars.Of(1f - Group.Beta1));
        var secondUD = secondVD.index_select(0, rowsU).mul_(Scalars.Of(Group.Beta2));
        secondUD.addcmul_(gradientUD, gradientUD, Scalars.Of(1f - Group.Beta2));
        firstVD.index_copy_(0, rowsU, firstUD);
        secondVD.index_copy_(0, rowsU, secondUD);
        var denominatorUD = secondUD.sqrt_().mul_(scalesU1.narrow(0, 0, rows.Length)).PlusInPlace(Group.Epsilon);
        var changeUD = firstUD.div_(denominatorUD).mul_(scalesU1.narrow(0, rows.Length, rows.Length));
        if (Group.WeightDecay != 0f)
            changeUD.add_(valueVD.index_select(0, rowsU), Scalars.Of(rate * Group.WeightDecay));
        valueVD.index_add_(0, rowsU, changeUD, Scalars.Of(-1f));
    }

    // Of each row 1/√(1 − β₂ᵗ), then of each rate/(1 − β₁ᵗ): one copy to the device.
    private float[] Scales(int[] rows, float rate)
    {
        var scales = new float[2 * rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            var step = ++Steps[rows[i]];
            scales[i] = (float)(1 / Math.Sqrt(1 - Math.Pow(Group.Beta2, step)));
            scales[rows.Length + i] = (float)(rate / (1 - Math.Pow(Group.Beta1, step)));
        }

        return scales;
    }

    private (int[] Rows, torch.Tensor RowsU, torch.Tensor GradientUD)? Gradient()
    {
        // An operation other than a look-up of rows leaves the gradient of all rows.
        if (Tensor.Value.grad is { } all)
        {
            int[] rows = [.. Enumerable.Range(0, Tensor.Shape[0])];
            Tensor.RowGradient!.Add(rows, Tensor.Engine.Device.Upload(rows), Rows(all));
        }

        return Tensor.RowGradient!.Sum(Tensor.Engine.Device);
    }

    // A view: the tables are contiguous.
    private torch.Tensor Rows(torch.Tensor table) => table.reshape(Tensor.Shape[0], Tensor.Length / Math.Max(1, Tensor.Shape[0]));
}
