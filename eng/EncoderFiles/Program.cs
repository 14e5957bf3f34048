// EncoderFiles SOURCE CONFIG OUTFOLDER
// Makes OUTFOLDER/model.safetensors and OUTFOLDER/vocab.txt from the resources *.Resources.model.onnx and *.Resources.vocab.txt of SOURCE, an
// assembly, which is not loaded, or the former alone of SOURCE, the ONNX file of a ResNet, and checks that they are those of the encoder that
// CONFIG, its config.json, describes.
using Microsoft.ML.Moe.EncoderFiles;

try
{
    PublishedEncoderFiles.Write(args[0], args[1], args[2]);
    return 0;
}
catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
{
    // in the form that MSBuild shows as an error
    Console.Error.WriteLine($"EncoderFiles : error : {e.Message}");
    return 1;
}
