using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// A file mapped into memory: what is read of it the operating system fetches, and forgets again, page by page. The mapping ends when this
/// is disposed and every <see cref="Lease"/> is collected.
/// </summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _data;
    private bool _isDisposed;

    /// <summary>Maps an open file, which this then owns.</summary>
    /// <param name="stream">The file, not empty.</param>
    public MappedFile(FileStream stream)
    {
        Length = stream.Length;
        _file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        try
        {
            _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        }
        catch
        {
            _file.Dispose();
            throw;
        }

        // The handle is the address; unlike AcquirePointer this leaves nothing to release when the object is lost.
        _data = (byte*)_view.SafeMemoryMappedViewHandle.DangerousGetHandle() + _view.PointerOffset;
    }

    /// <summary>Bytes of the file when it was mapped.</summary>
    public long Length { get; }

    /// <summary>Some bytes, to be used before this is disposed.</summary>
    /// <param name="first">Number of the first.</param>
    /// <param name="count">How many.</param>
    public ReadOnlySpan<byte> Bytes(long first, int count)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return first < 0 || first > Length - count
            ? throw new ArgumentOutOfRangeException(nameof(first), first, $"The file has {Length} bytes.")
            : new ReadOnlySpan<byte>(_data + first, count);
    }

    /// <summary>Where a byte lies, and what keeps it there while it is referred to, even when this is disposed.</summary>
    public (object Lease, nint Address) Lease(long first)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return (new ViewLease(_view.SafeMemoryMappedViewHandle), (nint)(_data + first));
    }

    /// <summary>Ends the mapping, once no lease is left.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        _view.Dispose();
        _file.Dispose();
    }

    private sealed class ViewLease
    {
        private readonly SafeHandle _handle;
        private readonly bool _isHeld;

        public ViewLease(SafeHandle handle)
        {
            _handle = handle;
            handle.DangerousAddRef(ref _isHeld);
        }

        ~ViewLease()
        {
            if (_isHeld)
                _handle.DangerousRelease();
        }
    }
}
