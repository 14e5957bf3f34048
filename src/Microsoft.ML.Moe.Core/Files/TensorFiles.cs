using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Tensors of safetensors files on disk, of one or of the shards of a checkpoint folder. Opening reads the headers alone; elements are
/// read where the mapped files lie. A file must not be shortened while it is open: reading past its new end would end the process, as
/// with any mapped file.
/// </summary>
internal sealed class TensorFiles : TensorSource, IDisposable
{
    private const string Extension = ".safetensors";
    private const string SingleFile = "model.safetensors";

    // Of at most eight bytes each: a span has no more than 2³¹ bytes.
    private const int MostElements = 1 << 24;
    private static readonly string[] PickledFiles = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, (MappedFile File, long DataStart)> _places = [];
    private readonly Dictionary<string, string> _metadata = [];
    private readonly List<MappedFile> _files = [];

    private TensorFiles(string name) => Name = name;

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>What the files say of themselves.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Opens a checkpoint.</summary>
    /// <param name="path">
    /// A safetensors file, an index of shards (<c>….safetensors.index.json</c>), or a folder with <c>model.safetensors</c> or its index.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no such file or folder, or no weights in the folder.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged or cut off, a shard or a tensor in it is missing, or the folder has pickled weights alone; the message names file
    /// and tensor and says what to do.
    /// </exception>
    public static TensorFiles Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var files = new TensorFiles(path);
        try
        {
            var file = Directory.Exists(path) ? FileOf(path) : path;
            if (file.EndsWith(ShardIndex.Extension, StringComparison.Ordinal))
                files.AddShards(file);
            else
                files.Add(file, shard: null);
            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override unsafe BFloat16Values? View(TensorInfo tensor)
    {
        var (file, first) = PlaceOf(tensor);
        if (tensor.Type != TensorType.BF16 || !BitConverter.IsLittleEndian || tensor.Elements > int.MaxValue)
            return null;
        var (lease, address) = file.Lease(first);
        return address % sizeof(ushort) == 0 ? new BFloat16Values(lease, (ushort*)address, (int)tensor.Elements) : null;
    }

    /// <summary>Closes the files. Views of them stay readable.</summary>
    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    /// <inheritdoc/>
    protected override void ReadSingle(TensorInfo tensor, long first, Span<float> values)
    {
        var (file, start) = PlaceOf(tensor);
        var size = tensor.Type.BitsOf() / 8;
        for (var done = 0; done < values.Length; done += MostElements)
        {
            var part = values.Slice(done, Math.Min(MostElements, values.Length - done));
            TensorValues.ToSingle(tensor.Type, file.Bytes(start + (first + done) * size, part.Length * size), part);
        }
    }

    /// <inheritdoc/>
    protected override void ReadBits(TensorInfo tensor, long first, Span<ushort> bits)
    {
        var (file, start) = PlaceOf(tensor);
        for (var done = 0; done < bits.Length; done += MostElements)
        {
            var part = bits.Slice(done, Math.Min(MostElements, bits.Length - done));
            TensorValues.ToBits(file.Bytes(start + (first + done) * sizeof(ushort), part.Length * sizeof(ushort)), part);
        }
    }

    private static string FileOf(string folder)
    {
        var single = Path.Combine(folder, SingleFile);
        var index = single + ShardIndex.Suffix;
        if (File.Exists(single))
            return single;
        if (File.Exists(index))
            return index;
        foreach (var pickled in PickledFiles.Where(name => File.Exists(Path.Combine(folder, name))))
        {
            throw new InvalidDataException(
                $"{folder} has its weights in {pickled} alone, pickled Python objects, which this library does not read. Convert them " +
                "once, in that folder: python -c \"import glob, torch; from safetensors.torch import save_file; " +
                "save_file({k: v.clone().contiguous() for f in glob.glob('pytorch_model*.bin') for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}, " +
                $"'{SingleFile}', {{'format': 'pt'}})\"");
        }

        throw new FileNotFoundException($"{folder} has neither {SingleFile} nor {SingleFile}{ShardIndex.Suffix}.", single);
    }

    private void AddShards(string indexFile)
    {
        var index = ShardIndex.Read(indexFile);
        var folder = Path.GetDirectoryName(Path.GetFullPath(indexFile)) ?? "";
        foreach (var (shard, names) in index.Shards)
        {
            var path = Path.Combine(folder, shard);
            if (!File.Exists(path))
                throw new InvalidDataException($"{indexFile} names the shard {shard}, which is missing: download it to {folder}.");
            Add(path, names);
            foreach (var name in names.Where(name => !_tensors.ContainsKey(name)))
                throw new InvalidDataException($"{indexFile} says that tensor {name} is in {shard}, but it is not.");
        }
    }

    /// <summary>Opens a file and takes up its tensors, which a shard's index must name.</summary>
    private void Add(string path, HashSet<string>? shard)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"There is no file or folder {path}.", path);
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        try
        {
            Span<byte> lengthBytes = stackalloc byte[SafeTensorsHeader.LengthBytes];
            if (stream.ReadAtLeast(lengthBytes, lengthBytes.Length, throwOnEndOfStream: false) < lengthBytes.Length)
                throw SafeTensorsHeader.Damaged(path, $"it has {stream.Length} bytes, not even the length of its header");
            var json = new byte[SafeTensorsHeader.LengthOf(lengthBytes, stream.Length - lengthBytes.Length, path)];
            stream.ReadExactly(json);
            var header = SafeTensorsHeader.Parse(json, path);
            var dataStart = lengthBytes.Length + json.Length;
            if (stream.Length - dataStart != header.DataBytes)
            {
                throw SafeTensorsHeader.Damaged(
                    path, $"its tensors take {header.DataBytes} bytes, but {stream.Length - dataStart} follow the header");
            }

            var file = new MappedFile(stream);
            _files.Add(file);
            foreach (var tensor in header.Tensors)
            {
                if (shard is not null && !shard.Contains(tensor.Name))
                {
                    throw new InvalidDataException(
                        $"{path} holds tensor {tensor.Name}, of which the index says that it is elsewhere or nowhere.");
                }

                _tensors.Add(tensor.Name, tensor);
                _places.Add(tensor.Name, (file, dataStart));
            }

            foreach (var (key, value) in header.Metadata)
                _metadata[key] = value;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    private (MappedFile File, long First) PlaceOf(TensorInfo tensor)
    {
        var (file, dataStart) = _places.TryGetValue(tensor.Name, out var place) && ReferenceEquals(_tensors[tensor.Name], tensor)
            ? place
            : throw new ArgumentException($"{Name} has no such tensor as {tensor.Name}.", nameof(tensor));
        return (file, dataStart + tensor.Offset);
    }
}
