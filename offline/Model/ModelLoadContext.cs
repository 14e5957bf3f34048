using System.Reflection;
using System.Text;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

internal sealed class ModelLoadContext : IDisposable
{
    public const string ModelStreamName = "Model.key";

    private readonly EntryHeader _header;
    private readonly long _start;

    public readonly RepositoryReader Repository;
    public readonly string Directory;
    public readonly BinaryReader Reader;
    public readonly string[] Strings;
    public readonly string LoaderAssemblyName;

    private ModelLoadContext(RepositoryReader rep, Stream stream, string dir)
    {
        Repository = rep;
        Directory = dir;
        Reader = new BinaryReader(stream, Encoding.UTF8);
        _header = EntryHeader.Read(Reader);
        _start = stream.Position;
        Strings = _header.Strings;
        LoaderAssemblyName = _header.LoaderAssemblyName;
    }

    public bool InRepository => Repository != null;

    public static bool LoadModelOrNull<TRes, TSig>(
        IHostEnvironment env, out TRes result, RepositoryReader rep, string dir, params object[] extra)
        where TRes : class
    {
        result = null;
        if (rep.OpenOrNull(dir, ModelStreamName) is not { } stream)
            return false;
        using var ctx = new ModelLoadContext(rep, stream, dir);
        env.ComponentCatalog.RegisterAssembly(ctx.LoadAssembly());
        result = env.ComponentCatalog.CreateOrNull(env, ctx._header.LoaderSignature, typeof(TSig), ctx) as TRes
            ?? throw Contracts.ExceptDecode($"Couldn't load model: '{dir}'");
        return true;
    }

    public static void LoadModel<TRes, TSig>(
        IHostEnvironment env, out TRes result, RepositoryReader rep, string dir, params object[] extra)
        where TRes : class
    {
        if (!LoadModelOrNull<TRes, TSig>(env, out result, rep, dir, extra))
            throw Contracts.ExceptDecode("Corrupt model file");
    }

    public bool LoadModelOrNull<TRes, TSig>(IHostEnvironment env, out TRes result, string name, params object[] extra)
        where TRes : class =>
        LoadModelOrNull<TRes, TSig>(env, out result, Repository, RepositoryReader.PathOf(Directory, name), extra);

    public void LoadModel<TRes, TSig>(IHostEnvironment env, out TRes result, string name, params object[] extra)
        where TRes : class =>
        LoadModel<TRes, TSig>(env, out result, Repository, RepositoryReader.PathOf(Directory, name), extra);

    public bool TryProcessSubModel(string dir, Action<ModelLoadContext> action)
    {
        var path = RepositoryReader.PathOf(Directory, dir);
        if (Repository.OpenOrNull(path, ModelStreamName) is not { } stream)
            return false;
        using var ctx = new ModelLoadContext(Repository, stream, path);
        action(ctx);
        return true;
    }

    public bool TryLoadBinaryStream(string name, Action<BinaryReader> action)
    {
        Contracts.CheckValue(action, nameof(action));
        if (Repository.OpenOrNull(Directory, name) is not { } stream)
            return false;
        using var reader = new BinaryReader(stream, Encoding.UTF8);
        action(reader);
        return true;
    }

    public bool TryLoadTextStream(string name, Action<TextReader> action)
    {
        Contracts.CheckValue(action, nameof(action));
        if (Repository.OpenOrNull(Directory, name) is not { } stream)
            return false;
        using var reader = new StreamReader(stream);
        action(reader);
        return true;
    }

    public void CheckAtModel() => Contracts.Check(Reader.BaseStream.Position == _start, "The model is not at its start.");

    public void CheckAtModel(VersionInfo ver)
    {
        CheckAtModel();
        CheckVersionInfo(ver);
    }

    public void CheckVersionInfo(VersionInfo ver) => _header.Check(ver);

    public string LoadStringOrNull()
    {
        var id = Reader.ReadInt32();
        Contracts.CheckDecode(id >= -1 && id < Strings.Length, "Corrupt model file: no such string.");
        return id < 0 ? null : Strings[id];
    }

    public string LoadString() => LoadStringOrNull() ?? throw Contracts.ExceptDecode("Corrupt model file: no such string.");

    public string LoadNonEmptyString() =>
        LoadString() is { Length: > 0 } text ? text : throw Contracts.ExceptDecode("Corrupt model file: an empty string.");

    public void Dispose() => Reader.Dispose();

    private Assembly LoadAssembly()
    {
        try
        {
            return Assembly.Load(new AssemblyName(LoaderAssemblyName));
        }
        catch (Exception ex) when (ex is IOException or ArgumentException or BadImageFormatException)
        {
            throw new FormatException($"The model needs the assembly '{LoaderAssemblyName}', which cannot be loaded.", ex);
        }
    }
}
