using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Functions in TorchScript: it reaches the operators of libtorch that TorchSharp has no methods for.</summary>
/// <param name="text">The functions; each gives a tensor. Compiled here, and held for good: TorchSharp never frees what it has compiled.</param>
/// <exception cref="System.Runtime.InteropServices.ExternalException">libtorch does not know something that is in it.</exception>
internal sealed class TorchScript(string text)
{
    private readonly torch.jit.CompilationUnit _compiled = torch.jit.compile(text);

    /// <summary>Calls a function.</summary>
    /// <param name="function">Its name.</param>
    /// <param name="arguments">Its arguments.</param>
    public torch.Tensor Call(string function, params object[] arguments)
    {
        var result = (torch.Tensor)_compiled.invoke(function, arguments);
        // TorchSharp hands their native handles over and then holds on to the objects no longer.
        GC.KeepAlive(arguments);
        return result;
    }
}
