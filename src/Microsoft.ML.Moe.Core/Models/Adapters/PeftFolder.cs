using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Adapters;

/// <summary>A folder with adapters as peft saves them: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
internal sealed class PeftFolder : IDisposable
{
    private const string TensorsFile = "adapter_model.safetensors";
    private static readonly Dictionary<string, string> _metadata = new() { ["format"] = "pt" };

    private readonly FileStream _stream;
    private readonly SafeTensors _tensors;

    private PeftFolder(string path)
    {
        var file = Path.Combine(path, TensorsFile);
        if (!File.Exists(file))
            throw new FileNotFoundException($"There is no {file}: adapters in other formats are to be saved as safetensors first.", file);
        _stream = File.OpenRead(file);
        try
        {
            _tensors = SafeTensors.Read(_stream, file);
            Adaptation = PeftConfig.Read(
                Path.Combine(path, PeftConfig.FileName),
                () => [.. _tensors.Tensors.Keys.Select(PeftTensor.ModuleOf).OfType<string>().Distinct().Order(StringComparer.Ordinal)]);
        }
        catch
        {
            _stream.Dispose();
            throw;
        }
    }

    /// <summary>What is adapted, and how.</summary>
    public LowRankAdaptation Adaptation { get; }

    /// <summary>Number of values in the file.</summary>
    public long Values => _tensors.Tensors.Values.Sum(tensor => tensor.Elements);

    /// <summary>Opens a folder.</summary>
    /// <exception cref="FileNotFoundException">A file is not there.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what is not supported.</exception>
    public static PeftFolder Open(string path) => new(path);

    /// <summary>Gives a model's adapters the values of the files.</summary>
    /// <param name="adapted">The adapters.</param>
    /// <exception cref="InvalidDataException">The tensors are not those of the adapters; the message names the first.</exception>
    public void Fill(IReadOnlyList<AdaptedParameter> adapted)
    {
        var expected = PeftTensor.Of(adapted);
        var values = new Dictionary<Parameter, float[]>();
        foreach (var tensor in expected)
        {
            tensor.Scatter(_tensors.TakeWeights(tensor.Name, tensor.Shape), parameter => values.TryGetValue(parameter, out var all)
                ? all
                : values[parameter] = new float[parameter.Value.Length]);
        }

        _tensors.CheckAllTaken();
        foreach (var (parameter, all) in values)
            parameter.Value.CopyFrom(all);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();

    /// <summary>Writes a folder.</summary>
    /// <param name="path">Path of the folder, which is made where it is not there.</param>
    /// <param name="config">The model; it is adapted.</param>
    /// <param name="adapters">Its adapters.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void Write(string path, ModelConfig config, AdapterPlan adapters)
    {
        Directory.CreateDirectory(path);
        var values = new Dictionary<Parameter, float[]>();
        float[] Read(Parameter parameter) =>
            values.TryGetValue(parameter, out var all) ? all : values[parameter] = parameter.Value.ToArray();
        AtomicFile.Write(Path.Combine(path, TensorsFile), stream => SafeTensorsWriter.Write(
            stream,
            [.. PeftTensor.Of(adapters.Adapted).Select(t => new SavedTensor(t.Name, t.Shape, ElementType.Float32, () => t.Gather(Read)))],
            _metadata));
        AtomicFile.Write(Path.Combine(path, PeftConfig.FileName), stream => PeftConfig.Write(stream, config, adapters));
    }
}
