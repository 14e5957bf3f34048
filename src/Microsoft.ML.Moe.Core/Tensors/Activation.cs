namespace Microsoft.ML.Moe.Tensors;

/// <summary>The non-linearity that an operation applies to its result.</summary>
public enum Activation
{
    /// <summary>Identity.</summary>
    None,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>
    /// Gaussian error linear unit, tanh form: x/2·(1 + tanh(√(2/π)(x + 0.044715·x³))) (Hendrycks and Gimpel 2016, section 2). Published
    /// models call it gelu_new, gelu_pytorch_tanh or gelu_tanh.
    /// </summary>
    GeluTanh,

    /// <summary>
    /// Gaussian error linear unit, exact form: x·Φ(x) = x/2·(1 + erf(x/√2)). Published models call it gelu. It differs from
    /// <see cref="GeluTanh"/> by up to 5e-4.
    /// </summary>
    GeluErf,

    /// <summary>x·sigmoid(x), also called swish; the activation of SwiGLU.</summary>
    Silu,

    /// <summary>tanh(x).</summary>
    Tanh,

    /// <summary>1/(1 + e⁻ˣ).</summary>
    Sigmoid,

    /// <summary>
    /// z·sigmoid(1.702·z) of z = min(x, 7): the first factor of gpt-oss's gated networks (OpenAI 2025, "gpt-oss model card", section 2.2).
    /// </summary>
    ClampedSwish,

    /// <summary>1 + min(max(x, −7), 7): the second factor of gpt-oss's gated networks.</summary>
    ClampedIncrement,
}
