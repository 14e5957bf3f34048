using System.Buffers.Binary;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Microsoft.ML.Moe.EncoderFiles;

/// <summary>Where a resource lies in an assembly's file.</summary>
/// <param name="Name">The resource's name.</param>
/// <param name="Start">Number of its first byte.</param>
/// <param name="Length">How many bytes it has.</param>
internal sealed record ManifestResource(string Name, long Start, long Length)
{
    /// <summary>Finds the one resource whose name ends as given. The assembly is read, not loaded.</summary>
    /// <exception cref="InvalidDataException">The file is no assembly or damaged, or has no such resource or several.</exception>
    public static ManifestResource Find(string assembly, string nameEnd)
    {
        using var stream = File.OpenRead(assembly);
        try
        {
            using var image = new PEReader(stream, PEStreamOptions.LeaveOpen);
            var metadata = image.GetMetadataReader();
            var matches = metadata.ManifestResources.Select(metadata.GetManifestResource)
                .Where(resource => resource.Implementation.IsNil)
                .Where(resource => metadata.GetString(resource.Name).EndsWith(nameEnd, StringComparison.Ordinal))
                .ToList();
            if (matches is not [var resource])
                throw new InvalidDataException($"{assembly} has {matches.Count} resources *{nameEnd}, not one.");
            if (!image.PEHeaders.TryGetDirectoryOffset(image.PEHeaders.CorHeader!.ResourcesDirectory, out var directory))
                throw new InvalidDataException($"{assembly} has no resources.");

            // four bytes with the length, then the resource
            var start = directory + resource.Offset;
            Span<byte> lengthBytes = stackalloc byte[sizeof(uint)];
            if (start < 0 || RandomAccess.Read(stream.SafeFileHandle, lengthBytes, start) < lengthBytes.Length)
                throw new InvalidDataException($"{assembly} is damaged: it ends before its resource *{nameEnd}.");
            start += lengthBytes.Length;
            var length = BinaryPrimitives.ReadUInt32LittleEndian(lengthBytes);
            return start + length <= stream.Length
                ? new ManifestResource(metadata.GetString(resource.Name), start, length)
                : throw new InvalidDataException($"{assembly} is damaged: it ends within its resource *{nameEnd}.");
        }
        catch (BadImageFormatException e)
        {
            throw new InvalidDataException($"{assembly} is damaged or no assembly: {e.Message}", e);
        }
    }
}
