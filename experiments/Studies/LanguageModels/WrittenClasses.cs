using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>Classes as the texts that a model writes.</summary>
internal static class WrittenClasses
{
    /// <summary>Tokens of a class's text at most.</summary>
    public const int LongestClass = 16;

    private const int BatchOfAnswers = 64;

    /// <summary>What is written for a class.</summary>
    public static string TextOf(string label) => label.Replace('_', ' ');

    /// <summary>Share of the rows whose class a model writes right, letter by letter; it writes greedily.</summary>
    /// <param name="generator">Reads and writes tokens.</param>
    /// <param name="model">The model.</param>
    /// <param name="prompts">What it reads of each row.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="stop">Ends it.</param>
    public static double Accuracy(
        TextGenerator generator, Model<EncodedText> model, IReadOnlyList<EncodedText> prompts, IReadOnlyList<Sentence> rows, CancellationToken stop)
    {
        var options = new GenerationOptions { MaximumNewTokens = LongestClass, EndTokens = generator.Defaults.EndTokens };
        var answers = generator.Write(model, prompts, options, BatchOfAnswers, measuresEntropy: false, stop: stop);
        return answers.Zip(rows).Average(pair => pair.First.Answer.Text.Trim() == TextOf(pair.Second.Label) ? 1.0 : 0.0);
    }
}
