using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.MlNet;

/// <summary>Reads what <see cref="ModelFolderWriter"/> has written, as ML.NET unpacks it.</summary>
internal sealed class ModelFolderReader : ModelFolder
{
    private readonly ModelLoadContext _context;

    /// <summary>Reads <c>Model.key</c>.</summary>
    /// <param name="environment">Where the model will live.</param>
    /// <param name="context">The folder.</param>
    /// <param name="version">Kind and version that it must have.</param>
    /// <exception cref="FormatException">It is of another kind of model, or of a version that this library cannot read.</exception>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public ModelFolderReader(IHostEnvironment environment, ModelLoadContext context, VersionInfo version)
    {
        ArgumentNullException.ThrowIfNull(context);
        Environment = environment;
        _context = context;
        context.CheckAtModel(version);
        ReadList(context.Reader, context.LoadNonEmptyString);
    }

    /// <summary>Where the model will live.</summary>
    public IHostEnvironment Environment { get; }

    private protected override string Name => _context.Directory;

    private protected override bool TryOpen(string name, long length, Action<Stream> use) =>
        _context.TryLoadBinaryStream(name, reader => use(reader.BaseStream));
}
