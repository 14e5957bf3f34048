using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

public sealed class PublishedTensorsTests
{
    public static TheoryData<string> Folders => GoldenEncoderTests.Folders;

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    [Trait("Category", "Goldens")]
    public void WhatIsWrittenIsReadAgain(string name)
    {
        Skip.If(name.Length == 0, "There are no goldens of encoders: set MLNETMOE_GOLDENS to their folder.");
        SurvivesWriting(Path.Combine(Goldens.Root!, "models", name));
    }

    [Fact]
    public void AMixtureKeepsItsExperts()
    {
        using var folder = new TemporaryFolder();
        TinyPublished.Write(folder.Path, TinyPublished.NomicMixture);
        SurvivesWriting(folder.Path);
    }

    private static void SurvivesWriting(string path)
    {
        using var engine = new ManagedEngine();
        using var written = new TemporaryFolder();
        var folder = PublishedFolder.Open(path);
        var parameters = ParametersOf(folder, engine);
        SafeTensorsWriter.WriteFolder(written.Path, PublishedTensors.Of(parameters, folder.Encoder.CreateRules(), ElementType.Float32));
        File.Copy(Path.Combine(path, "config.json"), Path.Combine(written.Path, "config.json"));

        foreach (var (expected, actual) in parameters.Zip(ParametersOf(PublishedFolder.Open(written.Path), engine)))
        {
            Assert.Equal(expected.Name, actual.Name);
            Assert.Equal(expected.Value.ToArray(), actual.Value.ToArray());
        }
    }

    private static List<Parameter> ParametersOf(PublishedFolder folder, Engine engine) => folder.Load(engine, 0, store =>
    {
        folder.Encoder.CreateTokenEmbedding(store);
        folder.Encoder.CreateEncoder(store);
        return store.All.Select(p => p.Parameter).ToList();
    });
}
