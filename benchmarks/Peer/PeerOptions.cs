namespace Microsoft.ML.Moe.Benchmarks.Peer;

/// <summary>What to compare.</summary>
/// <param name="Train">Training rows: a header, then label, tab and text.</param>
/// <param name="Test">Test rows, likewise.</param>
/// <param name="Weights">The pretrained weights of <see cref="TextClassificationPeer"/>; null where ML.NET shall download them.</param>
/// <param name="OnGpu">Whether on the first GPU, the only one that TextClassification takes; else on the CPU.</param>
/// <param name="Rows">The most rows of each file; null for all.</param>
/// <param name="Rounds">Rounds of each pair.</param>
internal sealed record PeerOptions(FileInfo Train, FileInfo Test, FileInfo? Weights, bool OnGpu, int? Rows, int Rounds);
