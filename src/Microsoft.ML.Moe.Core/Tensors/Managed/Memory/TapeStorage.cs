namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>What a tape needs while it lives; the engine hands it from tape to tape, so that a new one allocates next to nothing.</summary>
internal sealed class TapeStorage(BlockPool blocks)
{
    /// <summary>Memory of the tape's tensors and of what backward steps need.</summary>
    public Arena Memory { get; } = new(blocks);

    /// <summary>Memory of the operation under way.</summary>
    public Arena Scratch { get; } = new(blocks);

    /// <summary>The operations, for the backward pass.</summary>
    public BackwardSteps Steps { get; } = new();

    /// <summary>The parameters in use, which keeps their memory alive while threads work on it.</summary>
    public HashSet<ManagedTensor> Parameters { get; } = [];

    /// <summary>The tape that <see cref="ManagedEngine.LeaseTape"/> begins again and again over this storage; null before the first time.</summary>
    public ManagedTape? LeasedTape { get; set; }

    /// <summary>Forgets everything and gives the blocks back.</summary>
    public void Clear()
    {
        Steps.Clear();
        Parameters.Clear();
        Memory.Release();
        Scratch.Release();
    }
}
