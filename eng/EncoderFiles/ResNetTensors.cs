using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.EncoderFiles;

/// <summary>Names and shapes of the tensors of a ResNet as Hugging Face writes them, without the prefix <c>resnet.</c></summary>
internal static class ResNetTensors
{
    /// <summary>Tensors of a batch norm, in the order of ONNX's operator too.</summary>
    public static readonly string[] OfNorm = ["weight", "bias", "running_mean", "running_var"];

    /// <summary>All tensors in the order of the model's modules.</summary>
    /// <param name="configFile">Path of its config.json.</param>
    /// <exception cref="InvalidDataException">The file does not describe a ResNet.</exception>
    public static IReadOnlyList<(string Name, int[] Shape)> Of(string configFile)
    {
        if (PublishedArchitectures.Read(PublishedFolder.ReadConfig(configFile)) is not ResNetConfig config)
            throw new InvalidDataException($"{configFile}: model_type is not resnet.");
        return
        [
            .. config.Blocks().SelectMany(block => block.All).Prepend(config.First).SelectMany(convolution => OfNorm
                .Select(name => ($"{convolution.Source}.normalization.{name}", (int[])[convolution.Outputs]))
                .Prepend((convolution.Source + ".convolution.weight", [convolution.Outputs, convolution.Inputs, convolution.Spec.Side, convolution.Spec.Side]))),
        ];
    }
}
