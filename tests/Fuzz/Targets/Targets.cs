namespace Microsoft.ML.Moe.Tests.Fuzzing;

/// <summary>The readers of outside data.</summary>
internal static class Targets
{
    private static readonly Func<FuzzTarget>[] All =
    [
        () => new SafeTensorsTarget(), () => new ShardsTarget(), () => new ConfigTarget(), () => new TokenizerTarget(),
        () => new OlderTokenizerTarget(), () => new VocabularyTarget(), () => new SentencePieceTarget(), () => new OnnxTarget(),
        () => new ChatTarget(), () => new GenerationTarget(), () => new ImageTarget(), () => new CheckpointTarget(),
        () => new PublishedTarget(), () => new SentenceFolderTarget(), () => new WeightsTarget(),
        () => new ModelTarget(), () => new ModelZipTarget(), () => new RowsTarget(),
    ];

    private static readonly Dictionary<string, Func<FuzzTarget>> ByName = All.ToDictionary(NameOf);

    /// <summary>Names of all.</summary>
    public static IReadOnlyCollection<string> Names => ByName.Keys;

    /// <summary>Makes one.</summary>
    public static FuzzTarget Create(string name) => ByName[name]();

    private static string NameOf(Func<FuzzTarget> create)
    {
        using var target = create();
        return target.Name;
    }
}
