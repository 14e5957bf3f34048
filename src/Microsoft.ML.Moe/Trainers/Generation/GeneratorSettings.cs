using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>What a transformer that generates text keeps of its options.</summary>
/// <param name="Columns">Names of the columns.</param>
/// <param name="MaximumPromptTokens">See <see cref="GenerateTextOptions.MaximumPromptTokens"/>.</param>
/// <param name="Weights">See <see cref="GenerateTextOptions.Weights"/>.</param>
/// <param name="Source">Where the weights stay; null where the model zip holds them.</param>
internal sealed record GeneratorSettings(GenerationColumns Columns, int? MaximumPromptTokens, WeightPrecision Weights, PublishedModel? Source);
