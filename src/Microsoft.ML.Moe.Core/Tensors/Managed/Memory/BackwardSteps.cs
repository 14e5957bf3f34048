using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The operations of a tape, in their order, for its backward pass. Keeps its memory when it is cleared.</summary>
internal sealed class BackwardSteps
{
    private readonly Dictionary<Type, Operations> _byType = [];
    private readonly List<(ManagedTensor Result, Operations Operations, int Number)> _steps = [];

    /// <summary>Adds an operation.</summary>
    /// <param name="result">Its result, which requires a gradient.</param>
    /// <param name="operation">The operation.</param>
    public void Add<TOperation>(ManagedTensor result, in TOperation operation)
        where TOperation : struct, IOperation
    {
        if (!_byType.TryGetValue(typeof(TOperation), out var operations))
            _byType.Add(typeof(TOperation), operations = new Operations<TOperation>());
        _steps.Add((result, operations, ((Operations<TOperation>)operations).Add(operation)));
    }

    /// <summary>Runs the backward passes from last to first of the operations whose result a gradient has reached.</summary>
    public void Run(ManagedTape tape)
    {
        for (var i = _steps.Count - 1; i >= 0; i--)
        {
            var (result, operations, number) = _steps[i];
            if (!result.HasGradient)
                continue;
            tape.Scratch.Reset();
            operations.Backward(tape, number);
        }
    }

    /// <summary>Forgets the operations.</summary>
    public void Clear()
    {
        _steps.Clear();
        foreach (var operations in _byType.Values)
            operations.Clear();
    }

    private abstract class Operations
    {
        public abstract void Backward(ManagedTape tape, int number);

        public abstract void Clear();
    }

    private sealed class Operations<TOperation> : Operations
        where TOperation : struct, IOperation
    {
        private readonly List<TOperation> _operations = [];

        public int Add(in TOperation operation)
        {
            _operations.Add(operation);
            return _operations.Count - 1;
        }

        public override void Backward(ManagedTape tape, int number) => CollectionsMarshal.AsSpan(_operations)[number].Backward(tape);

        public override void Clear() => _operations.Clear();
    }
}
