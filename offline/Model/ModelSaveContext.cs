using System.Text;
using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Where a component saves itself: a folder of the zip, its own numbers and strings in <c>Model.key</c> there.</summary>
public sealed class ModelSaveContext : IDisposable
{
    private readonly MemoryStream _body = new();
    private readonly List<string> _strings = [];
    private readonly Dictionary<string, int> _ids = [];
    private readonly string _name;
    private VersionInfo _version;

    internal readonly RepositoryWriter Repository;
    internal readonly string Directory;
    internal readonly BinaryWriter Writer;

    internal ModelSaveContext(RepositoryWriter rep, string dir, string name)
    {
        Contracts.CheckValue(rep, nameof(rep));
        Repository = rep;
        Directory = dir;
        _name = name;
        Writer = new BinaryWriter(_body, Encoding.UTF8, leaveOpen: true);
    }

    internal bool InRepository => Repository != null;

    internal static void SaveModel<T>(RepositoryWriter rep, T value, string path)
        where T : class
    {
        if (value == null)
            return;
        var model = value as ICanSaveModel ?? throw Contracts.ExceptParam(nameof(value), $"{value.GetType()} cannot be saved.");
        using var ctx = new ModelSaveContext(rep, path, ModelLoadContext.ModelStreamName);
        model.Save(ctx);
        ctx.Done();
    }

    internal void SaveModel<T>(T value, string name)
        where T : class => SaveModel(Repository, value, RepositoryReader.PathOf(Directory, name));

    internal void SaveSubModel(string dir, Action<ModelSaveContext> fn)
    {
        using var ctx = new ModelSaveContext(Repository, RepositoryReader.PathOf(Directory, dir), ModelLoadContext.ModelStreamName);
        fn(ctx);
        ctx.Done();
    }

    internal void CheckAtModel() => Contracts.Check(Writer.BaseStream.Position == 0, "The model is not at its start.");

    internal void SetVersionInfo(VersionInfo ver) => _version = ver;

    internal void SaveTextStream(string name, Action<TextWriter> action)
    {
        Contracts.CheckValue(action, nameof(action));
        Repository.Write(Directory, name, stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
            action(writer);
        });
    }

    internal void SaveBinaryStream(string name, Action<BinaryWriter> action)
    {
        Contracts.CheckValue(action, nameof(action));
        Repository.Write(Directory, name, stream =>
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            action(writer);
        });
    }

    internal void SaveStringOrNull(string str)
    {
        if (str == null)
            Writer.Write(-1);
        else
            SaveString(str);
    }

    internal void SaveString(string str)
    {
        Contracts.CheckValue(str, nameof(str));
        if (!_ids.TryGetValue(str, out var id))
        {
            _ids[str] = id = _strings.Count;
            _strings.Add(str);
        }

        Writer.Write(id);
    }

    internal void SaveString(ReadOnlyMemory<char> str) => SaveString(str.ToString());

    internal void SaveNonEmptyString(string str) => SaveString(Contracts.CheckNonEmpty(str, nameof(str)));

    internal void SaveNonEmptyString(ReadOnlyMemory<char> str) => SaveNonEmptyString(str.ToString());

    internal void Done()
    {
        Contracts.Check(_version.ModelSignature != 0, "ModelSignature not specified!");
        Writer.Flush();
        Repository.Write(Directory, _name, stream =>
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            EntryHeader.Write(writer, _version, _strings);
            _body.Position = 0;
            _body.CopyTo(stream);
        });
        Dispose();
    }

    public void Dispose() => Writer.Dispose();
}
