namespace Microsoft.ML.Moe.Tensors;

/// <summary>Where the threads of a pool find the body of a loop, whatever its type.</summary>
internal abstract class SharedBody
{
    /// <summary>Runs an item.</summary>
    public abstract void Run(int item, int worker);

    /// <summary>The place of one type, kept by the pool for all loops of that type.</summary>
    public sealed class Of<TBody> : SharedBody
        where TBody : struct, ILoopBody
    {
        private TBody _body;

        /// <summary>Takes a body for the loop to come, or the default to keep nothing alive.</summary>
        public void Set(TBody body) => _body = body;

        /// <inheritdoc/>
        public override void Run(int item, int worker) => _body.Run(item, worker);
    }
}
