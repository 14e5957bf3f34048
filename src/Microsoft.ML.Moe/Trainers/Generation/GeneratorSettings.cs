using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>What a transformer that generates text keeps of its options.</summary>
/// <param name="Columns">Names of the columns.</param>
/// <param name="MaximumPromptTokens">See <see cref="GenerateTextOptions.MaximumPromptTokens"/>.</param>
/// <param name="Weights">See <see cref="GenerateTextOptions.Weights"/>.</param>
/// <param name="Source">Where the weights stay; null where the model zip holds them.</param>
/// <param name="Prompt">How rows become prompts; null for the text of the input column as it is.</param>
internal sealed record GeneratorSettings(
    GenerationColumns Columns, int? MaximumPromptTokens, WeightPrecision Weights, PublishedModel? Source, PromptSettings? Prompt = null)
{
    /// <summary>Makes prompts of rows.</summary>
    /// <exception cref="ArgumentException">The prompt cannot be read.</exception>
    /// <exception cref="InvalidDataException">The model's files have no conversation format, or none that is known.</exception>
    public PromptEncoder CreateEncoder(TextGenerator generator) => Prompt?.CreateEncoder(generator, MaximumPromptTokens)
        ?? new PromptEncoder(generator, PromptTemplate.Of(Columns.Input!), MaximumPromptTokens);
}
