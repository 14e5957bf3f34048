using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Writes a model that writes text as a folder that <see cref="TextGenerator"/> reads back, and transformers too: its weights under their
/// published names, its configuration and tokenizer as they were, and <c>generation_config.json</c>. A table that scores tokens as well is in it
/// once.
/// </summary>
/// <remarks>
/// The configuration tells of a router what the architecture's has: experts of a token, and whether weights are normalised. What only this
/// library routes (Expert Choice, Unified) is to be set again after loading.
/// </remarks>
internal static class GeneratorFolderWriter
{
    /// <summary>Writes a folder.</summary>
    /// <param name="generator">The model's files.</param>
    /// <param name="model">The model.</param>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <param name="type">See <see cref="TensorsOf"/>.</param>
    /// <exception cref="InvalidOperationException">Transformers has no form for the model; the message says why.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void Write(TextGenerator generator, Model<EncodedText> model, string folder, ElementType? type = null)
    {
        var tensors = TensorsOf(model, type);
        var main = tensors.Any(t => t.Type == ElementType.BFloat16) ? ElementType.BFloat16 : ElementType.Float32;
        PublishedFolderWriter.Write(folder, generator.Files, tensors, main, model.Config.BaseModel, "transformers");
        PublishedFolderWriter.WriteJson(
            folder, GenerationConfigFile.FileName, GenerationConfigJson.Of(generator, (PublishedConfig)model.Config.Encoder));
    }

    /// <summary>A model's weights under their published names.</summary>
    /// <param name="model">The model.</param>
    /// <param name="type">
    /// Type of the weights in the file; null loses nothing: bfloat16 for the matrices that are, and for what beside such matrices
    /// bfloat16 can hold, single precision for the others, and for int8.
    /// </param>
    /// <exception cref="InvalidOperationException">Transformers has no form for the model; the message says why.</exception>
    public static IReadOnlyList<SavedTensor> TensorsOf(Model<EncodedText> model, ElementType? type)
    {
        if (model.Config.Encoder is not PublishedConfig config || model.Head is not (NextTokenHead or DecoderHead))
            throw new InvalidOperationException("The model writes no text, or has an architecture of this library alone: save it as a zip.");
        if (model.Adaptation is not null)
        {
            throw new InvalidOperationException(
                $"The model has adapters beside its weights: write what {nameof(model.Merged)}() gives, or the adapters alone with "
                + $"{nameof(model.SaveAdapters)}.");
        }

        var rules = config.CreateRules();
        return PublishedTensors.Of(
            model.Parameters.All.Select(p => p.Parameter),
            rules,
            type is { } one ? _ => one : TypesOf(model.Parameters.All),
            parameter => parameter.Name is CausalConfig.NextTokenWeight or CausalConfig.NextTokenBias ? "" : rules.PrefixBesideHead);
    }

    private static Func<Parameter, ElementType> TypesOf(IReadOnlyList<(Parameter Parameter, ParameterRole Role)> parameters)
    {
        // gains and biases of a model in bfloat16 were in it too, and are widened when they are loaded
        var types = parameters.ToDictionary(p => p.Parameter, p => p.Parameter.Value.ElementType);
        if (types.ContainsValue(ElementType.BFloat16))
        {
            foreach (var (parameter, _) in parameters.Where(p => !p.Role.IsMatrix() && p.Parameter.Value.ToArray().All(BFloat16.Holds)))
                types[parameter] = ElementType.BFloat16;
        }

        return parameter => types[parameter] == ElementType.BFloat16 ? ElementType.BFloat16 : ElementType.Float32;
    }
}
