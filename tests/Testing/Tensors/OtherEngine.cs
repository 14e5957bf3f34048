using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>An engine that has no matrices but in single precision, and computes nothing.</summary>
internal sealed class OtherEngine : Engine
{
    private readonly ManagedEngine _parameters = new(1);

    public override string Description => "another engine";

    public override Parameter CreateParameter(string name, ReadOnlySpan<int> shape, ReadOnlySpan<float> values, bool sparseRows = false) =>
        _parameters.CreateParameter(name, shape, values, sparseRows);

    public override Tape BeginTape(bool training, ulong seed = 0) => throw new NotSupportedException();

    public override KeyValueCache CreateKeyValueCache(int sequences, int capacity, int keyWidth, int valueWidth) => throw new NotSupportedException();

    public override Optimizer CreateAdamW(IReadOnlyList<ParameterGroup> groups) => throw new NotSupportedException();

    protected override void Dispose(bool disposing) => _parameters.Dispose();
}
