namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Objects that one tape after the other hands out in its order, so that each takes the place of the one before it.</summary>
/// <param name="create">Makes one more.</param>
internal sealed class LeasedObjects<T>(Func<T> create)
{
    private readonly List<T> _objects = [];
    private int _used;

    /// <summary>The next object, as the last tape has left it.</summary>
    public T Next()
    {
        if (_used == _objects.Count)
            _objects.Add(create());
        return _objects[_used++];
    }

    /// <summary>Begins with the first again.</summary>
    public void Reset() => _used = 0;
}
