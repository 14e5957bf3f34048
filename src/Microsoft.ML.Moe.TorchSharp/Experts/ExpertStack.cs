using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Matrices or biases of all experts, [E, …], as factors of one type. Frozen ones in bfloat16 are converted when they are used: of the experts that are
/// taken alone, no others'.
/// </summary>
/// <param name="tensor">The stack.</param>
/// <param name="type">Type of the factors.</param>
internal readonly struct ExpertStack(TorchTensor tensor, torch.ScalarType type)
{
    /// <summary>All of them.</summary>
    public torch.Tensor Whole => tensor.ValueAs(type);

    /// <summary>Those of some experts, [P, …].</summary>
    /// <param name="experts">[P].</param>
    public torch.Tensor Of(torch.Tensor experts) =>
        IsConverted ? tensor.SelectRows(experts, type) : Whole.index_select(0, experts);

    /// <summary>That of each of some experts.</summary>
    /// <param name="experts">Their numbers.</param>
    public torch.Tensor[] Each(int[] experts)
    {
        var (stack, factorType) = (tensor, type);
        if (IsConverted)
            return Array.ConvertAll(experts, expert => stack.SelectRow(expert, factorType));
        var whole = Whole;
        if (!torch.is_grad_enabled())
            return Array.ConvertAll(experts, expert => whole.select(0, expert));
        // For gradients all are unbound at once: that of each slice by itself would be as large as the whole.
        var all = whole.unbind(0);
        return Array.ConvertAll(experts, expert => all[expert]);
    }

    private bool IsConverted => tensor.ElementType == ElementType.BFloat16;
}
