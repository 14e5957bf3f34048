using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>
/// Writes and reads the folder of a model that tells classes by their texts: what <see cref="GeneratorZip"/> has, the label's values, and
/// <c>ClassTexts.json</c>.
/// </summary>
internal static class ClassTextZip
{
    private const string ClassTexts = "ClassTexts.json";
    private const int MaximumLength = 1 << 26;

    /// <summary>Writes the files.</summary>
    public static void Write(
        ModelFolderWriter folder, FittedModel model, TextGenerator generator, ClassTextScorer scorer, ClassTextModel saved)
    {
        JsonEntry.Write(folder, ModelZip.Columns, saved.Columns);
        JsonEntry.Write(folder, ClassTexts, scorer.Settings);
        if (saved.Labels is not null)
            LabelValuesFile.Write(folder, saved.Labels);
        GeneratorZip.Write(
            folder,
            model,
            generator,
            new GeneratorState(scorer.Generation, scorer.BatchSize, saved.MaximumPromptTokens, saved.Weights, saved.Source, saved.Prompt));
    }

    /// <summary>Reads the files; the model lives on an engine of its own.</summary>
    /// <exception cref="InvalidDataException">A file is missing or damaged; the message names it.</exception>
    public static MoeTextToTextClassificationTransformer Read(ModelFolderReader folder)
    {
        var columns = JsonEntry.Read<ClassTextColumns>(folder, ModelZip.Columns, ModelZip.MaximumJsonLength);
        var settings = JsonEntry.Read<ClassTextSettings>(folder, ClassTexts, MaximumLength);
        var labels = LabelValuesFile.ReadOrNull(folder, settings.Texts.Count);
        if (settings is not { Texts.Count: > 0, MaximumTokens: >= 1, EndToken: null or >= 0 }
            || settings.Texts.Any(string.IsNullOrWhiteSpace)
            || !Enum.IsDefined(settings.Reading))
        {
            throw new InvalidDataException($"{ClassTexts} holds an impossible value: the model file is damaged.");
        }

        if (labels is not null)
            LabelEntry.CheckCount(labels.Texts.Count, settings.Texts.Count);
        return GeneratorZip.Read(folder, (shared, generator, state) => MoeTextToTextClassificationTransformer.Create(
            shared,
            generator,
            ScorerOf(generator, settings, state),
            new ClassTextModel(
                columns,
                labels,
                state.Prompt ?? throw new InvalidDataException("The model file is damaged: it does not say what the model reads."),
                state.MaximumPromptTokens,
                state.Weights,
                state.Source)));
    }

    private static ClassTextScorer ScorerOf(TextGenerator generator, ClassTextSettings settings, GeneratorState state)
    {
        try
        {
            return ClassTextScorer.Create(generator, settings, state.Options, state.BatchSize);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{ClassTexts} holds an impossible value: {e.Message}", e);
        }
    }
}
