using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Adapters;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

public sealed partial class Model<TRow>
{
    /// <summary>What is adapted by low-rank adapters beside the weights; null for nothing.</summary>
    public LowRankAdaptation? Adaptation => Config.Adaptation;

    /// <summary>Number of values that training changes: those of the adapters where there are some, else those that are not frozen.</summary>
    public long TrainedParameterCount =>
        _parameters.Trained.Where(p => !p.Parameter.IsFrozen).Sum(p => (long)p.Parameter.Value.Length);

    /// <summary>The parameters with adapters.</summary>
    internal IReadOnlyList<AdaptedParameter> Adapted => _adapters?.Adapted ?? [];

    /// <summary>
    /// This model with low-rank adapters beside some of its matrices, which begin as nothing: it gives what this one does, to the bit, until
    /// they are trained. The weights are shared and frozen in it, in whatever precision they are; both models go on working side by side on the
    /// engine, which must outlive both.
    /// </summary>
    /// <param name="adaptation">What is adapted, and how.</param>
    /// <param name="seed">Of the random values that adapters begin with.</param>
    /// <exception cref="ArgumentException">The model has nothing of what is to be adapted; the message lists what it has.</exception>
    /// <exception cref="InvalidOperationException">It has adapters already.</exception>
    public Model<TRow> WithAdapters(LowRankAdaptation adaptation, int seed = 0) => WithAdapters(adaptation, seed, checksNames: true);

    /// <summary>As above, with adapters that peft, or <see cref="SaveAdapters(string)"/>, has written for this model.</summary>
    /// <param name="folder">With <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</param>
    /// <exception cref="FileNotFoundException">A file is not there.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, asks for what is not supported, or does not fit the model; the message says which.</exception>
    /// <exception cref="InvalidOperationException">The model has adapters already.</exception>
    public Model<TRow> WithAdapters(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        using var files = PeftFolder.Open(folder);
        var model = WithSavedAdapters(files.Adaptation, folder, files.Values);
        files.Fill(model.Adapted);
        return model;
    }

    /// <summary>This model without its adapters; itself where it has none. The weights are shared, and frozen in it.</summary>
    public Model<TRow> WithoutAdapters() => Adaptation is null ? this : Adapting(null, new ParameterStore(_parameters));

    /// <summary>
    /// This model with its adapters worked into the weights, W + scaling·(A·B): one that costs no more than before it was adapted. What the
    /// adapters change is copied, in single precision where it is, else in bfloat16; all else is shared, and frozen.
    /// </summary>
    /// <exception cref="InvalidOperationException">The model has no adapters.</exception>
    public Model<TRow> Merged()
    {
        CheckAdapted();
        return Adapting(null, new ParameterStore(_parameters, MergedWeights.Of(Engine, Adapted)));
    }

    /// <summary>
    /// As <see cref="Merged"/> of this model with adapters, but its own weights are changed, which can learn afterwards as they could before.
    /// </summary>
    /// <param name="folder">See <see cref="WithAdapters(string)"/>.</param>
    /// <exception cref="InvalidOperationException">Weights with adapters are in bfloat16 or int8, or the model has adapters already.</exception>
    internal void Absorb(string folder)
    {
        var own = _parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter);
        foreach (var (parameter, adapter, _) in WithAdapters(folder).Adapted)
        {
            if (parameter.Value.ElementType != ElementType.Float32)
                throw new InvalidOperationException($"'{parameter.Name}' is in {parameter.Value.ElementType}: load the model in single precision.");
            own[parameter.Name].Value.CopyFrom(MergedWeights.ValuesOf(Engine, parameter, adapter));
        }
    }

    /// <summary>Writes the adapters as peft does: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
    /// <param name="folder">Path of the folder, which is made where it is not there.</param>
    /// <exception cref="InvalidOperationException">The model has no adapters.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public void SaveAdapters(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        CheckAdapted();
        PeftFolder.Write(folder, Config, _adapters!);
    }

    /// <summary>Writes the values of the adapters under this library's own names, for <see cref="WithAdapters(LowRankAdaptation, Stream)"/>.</summary>
    /// <exception cref="InvalidOperationException">The model has no adapters.</exception>
    internal void SaveAdapters(Stream stream)
    {
        CheckAdapted();
        SafeTensors.Write(stream, _parameters.Of(ParameterRole.Adapter));
    }

    /// <summary>This model with adapters of <see cref="SaveAdapters(Stream)"/>.</summary>
    /// <exception cref="InvalidDataException">The stream is damaged, or does not fit the model.</exception>
    internal Model<TRow> WithAdapters(LowRankAdaptation adaptation, Stream stream)
    {
        var tensors = SafeTensors.Read(stream, AdaptersEntry);
        var model = WithSavedAdapters(adaptation, AdaptersEntry, tensors.Tensors.Values.Sum(tensor => tensor.Elements));
        foreach (var parameter in model._parameters.Of(ParameterRole.Adapter))
            parameter.Value.CopyFrom(tensors.Take(parameter.Name, parameter.Value.Shape.ToArray()));
        tensors.CheckAllTaken();
        return model;
    }

    /// <summary>Values of adapters that are made before it is known that the file has them.</summary>
    private const long LargestSurplus = 1 << 24;

    /// <summary>The entry with the adapters in a zip whose other weights stay where they are.</summary>
    internal const string AdaptersEntry = "Adapters.safetensors";

    private Model<TRow> WithSavedAdapters(LowRankAdaptation adaptation, string file, long values)
    {
        try
        {
            // a line in a file could ask for adapters larger than the model; of small ones the tensor that is missing is named later
            var asked = new AdapterPlan(adaptation, Config.Encoder).CountValues(_parameters.All);
            if (asked > values + LargestSurplus)
            {
                throw new InvalidDataException(
                    $"{file} holds adapters of {values:N0} numbers, and its settings ask for {asked:N0}: the files do not belong together.");
            }

            return WithAdapters(adaptation, seed: 0, checksNames: false);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{file} holds adapters that do not fit the model: {e.Message}", e);
        }
    }

    private Model<TRow> WithAdapters(LowRankAdaptation adaptation, int seed, bool checksNames)
    {
        ArgumentNullException.ThrowIfNull(adaptation);
        if (Adaptation is not null)
            throw new InvalidOperationException($"The model has adapters already: merge them with {nameof(Merged)}, or leave them with {nameof(WithoutAdapters)}.");
        var model = Adapting(adaptation, new ParameterStore(_parameters, seed));
        model._adapters!.Check(checksNames);
        return model;
    }

    private Model<TRow> Adapting(LowRankAdaptation? adaptation, ParameterStore parameters) =>
        new(Engine, Config with { Adaptation = adaptation }, Input, parameters, Branch, _policies);

    private void CheckAdapted()
    {
        if (Adaptation is null)
            throw new InvalidOperationException($"The model has no adapters: {nameof(WithAdapters)} puts them beside its weights.");
    }
}
