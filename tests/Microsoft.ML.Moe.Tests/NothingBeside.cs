namespace Microsoft.ML.Moe.Tests;

/// <summary>Tests that count what the whole process does: no other test runs at the same time.</summary>
[CollectionDefinition(nameof(NothingBeside), DisableParallelization = true)]
public static class NothingBeside;
