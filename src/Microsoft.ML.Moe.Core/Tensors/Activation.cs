namespace Microsoft.ML.Moe.Tensors;

/// <summary>The non-linearity that an operation applies to its result.</summary>
public enum Activation
{
    /// <summary>Identity.</summary>
    None,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>Gaussian error linear unit, tanh form: x/2·(1 + tanh(√(2/π)(x + 0.044715·x³))).</summary>
    Gelu,

    /// <summary>x·sigmoid(x), also called swish.</summary>
    Silu,

    /// <summary>tanh(x).</summary>
    Tanh,
}
