using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Reads the tables that evaluations of text take, in one pass each.</summary>
internal static class EvaluationTexts
{
    private const string Prediction = "prediction";

    /// <summary>Predictions with the text that they should be.</summary>
    public static List<(string Prediction, string Label)> Pairs(
        IDataView data, string predictionColumn, string labelColumn, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var prediction = Text(data.Schema, predictionColumn, Prediction);
        var label = Text(data.Schema, labelColumn, "label");
        return Read(data, prediction, label, cursor => TextReader(cursor, label), cancellation);
    }

    /// <summary>Predictions with a label that is text, a number or Boolean: 1 and 0; whole numbers without a fraction.</summary>
    public static List<(string Prediction, string Label)> Labelled(
        IDataView data, string predictionColumn, string labelColumn, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var prediction = Text(data.Schema, predictionColumn, Prediction);
        var label = InputColumns.Find(data.Schema, labelColumn, "label");
        if (label.Type is not (TextDataViewType or NumberDataViewType or BooleanDataViewType))
            throw InputColumns.WrongType(
                labelColumn, "label", label.Type, "text, a number or Boolean (of a key, MapKeyToValue makes the value)");
        return Read(data, prediction, label, LabelReader, cancellation);

        Func<string> LabelReader(DataViewRowCursor cursor)
        {
            if (label.Type is TextDataViewType)
                return TextReader(cursor, label);
            var number = EvaluationColumns.NumberReader(cursor, label);
            return () => number().ToString(CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Predictions with the texts of which they should be one.</summary>
    /// <param name="data">The table.</param>
    /// <param name="predictionColumn">Column of predictions.</param>
    /// <param name="referenceColumn">Column of texts, or of vectors of texts.</param>
    /// <param name="role">What messages call the latter.</param>
    /// <param name="cancellation">Ends reading with an exception.</param>
    public static List<(string Prediction, string[] References)> WithReferences(
        IDataView data, string predictionColumn, string referenceColumn, string role, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var prediction = Text(data.Schema, predictionColumn, Prediction);
        var references = InputColumns.TextOrTexts(data.Schema, referenceColumn, role);
        return Read(data, prediction, references, cursor => TextsReader(cursor, references, role), cancellation);
    }

    /// <summary>Predicted classes with labels, each null where it is missing.</summary>
    public static List<(string? Predicted, string? Label)> Classes(
        IDataView data, string predictedColumn, string labelColumn, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var predicted = EvaluationColumns.Names(data.Schema, predictedColumn, "predicted label");
        var label = EvaluationColumns.Names(data.Schema, labelColumn, "label");
        return EvaluationRows.Read<(string?, string?)>(
            data,
            [predicted, label],
            cursor =>
            {
                var readPredicted = EvaluationColumns.OptionalNameReader(cursor, predicted);
                var readLabel = EvaluationColumns.OptionalNameReader(cursor, label);
                return () => (readPredicted(), readLabel());
            },
            "predictions",
            cancellation);
    }

    /// <summary>Samples of tasks, and whether they passed.</summary>
    public static List<(string Task, bool Passed)> Results(
        IDataView data, string taskColumn, string passedColumn, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var task = EvaluationColumns.Names(data.Schema, taskColumn, "task");
        var passed = EvaluationColumns.Numbers(data.Schema, passedColumn, "result");
        return EvaluationRows.Read<(string, bool)>(
            data,
            [task, passed],
            cursor =>
            {
                var readTask = EvaluationColumns.NameReader(cursor, task);
                var readPassed = EvaluationColumns.NumberReader(cursor, passed);
                return () => (readTask(), readPassed() switch
                {
                    0 => false,
                    1 => true,
                    var other => throw new InvalidOperationException(string.Create(
                        CultureInfo.InvariantCulture,
                        $"Row {cursor.Position + 1} has the result {other} in column '{passedColumn}'; results must be 1 or 0.")),
                });
            },
            "results",
            cancellation);
    }

    /// <summary>Samples of HumanEval.</summary>
    public static List<HumanEvalSample> Samples(
        IDataView data,
        string taskColumn,
        string promptColumn,
        string completionColumn,
        string testColumn,
        string entryPointColumn,
        CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var task = EvaluationColumns.Names(data.Schema, taskColumn, "task");
        var prompt = Text(data.Schema, promptColumn, "prompt");
        var completion = Text(data.Schema, completionColumn, "completion");
        var test = Text(data.Schema, testColumn, "test");
        var entryPoint = Text(data.Schema, entryPointColumn, "entry point");
        return EvaluationRows.Read<HumanEvalSample>(
            data,
            [task, prompt, completion, test, entryPoint],
            cursor =>
            {
                var readTask = EvaluationColumns.NameReader(cursor, task);
                var readPrompt = TextReader(cursor, prompt);
                var readCompletion = TextReader(cursor, completion);
                var readTest = NeededTextReader(cursor, test);
                var readEntryPoint = NeededTextReader(cursor, entryPoint);
                return () => new HumanEvalSample(readTask(), readPrompt(), readCompletion(), readTest(), readEntryPoint());
            },
            "samples",
            cancellation);
    }

    /// <summary>Log-probabilities and numbers of tokens of texts, with the texts where a column of them is given.</summary>
    public static List<(double LogProbability, double Tokens, string Text)> Scored(
        IDataView data, string logProbabilityColumn, string tokenCountColumn, string? textColumn, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(data);
        var logProbability = EvaluationColumns.Numbers(data.Schema, logProbabilityColumn, "log-probability");
        var tokens = EvaluationColumns.Numbers(data.Schema, tokenCountColumn, "token count");
        DataViewSchema.Column? text = textColumn is null ? null : Text(data.Schema, textColumn, "text");
        return EvaluationRows.Read<(double, double, string)>(
            data,
            text is { } column ? [logProbability, tokens, column] : [logProbability, tokens],
            cursor =>
            {
                var readLogProbability = EvaluationColumns.NumberReader(cursor, logProbability);
                var readTokens = EvaluationColumns.NumberReader(cursor, tokens);
                var readText = text is { } t ? TextReader(cursor, t) : () => "";
                return () => (readLogProbability(), readTokens(), readText());
            },
            "texts",
            cancellation);
    }

    private static List<(string Prediction, T Label)> Read<T>(
        IDataView data,
        DataViewSchema.Column prediction,
        DataViewSchema.Column label,
        Func<DataViewRowCursor, Func<T>> createReader,
        CancellationToken cancellation) => EvaluationRows.Read<(string, T)>(
            data,
            [prediction, label],
            cursor =>
            {
                var readPrediction = TextReader(cursor, prediction);
                var readLabel = createReader(cursor);
                return () => (readPrediction(), readLabel());
            },
            "predictions",
            cancellation);

    private static DataViewSchema.Column Text(DataViewSchema schema, string name, string role)
    {
        var column = InputColumns.Find(schema, name, role);
        return column.Type is TextDataViewType ? column : throw InputColumns.WrongType(name, role, column.Type, "text (String)");
    }

    // Missing text is empty text in ML.NET, and an empty answer is an answer.
    private static Func<string> TextReader(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var getter = cursor.GetGetter<ReadOnlyMemory<char>>(column);
        ReadOnlyMemory<char> text = default;
        return () =>
        {
            getter(ref text);
            return text.ToString();
        };
    }

    private static Func<string> NeededTextReader(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var read = TextReader(cursor, column);
        return () => read() is { Length: > 0 } text
            ? text
            : throw new InvalidOperationException($"Row {cursor.Position + 1} has no text in column '{column.Name}'.");
    }

    private static Func<string[]> TextsReader(DataViewRowCursor cursor, DataViewSchema.Column column, string role)
    {
        var read = RowTexts.ReaderOfAll(cursor, column);
        return () => read() is { Length: > 0 } texts
            ? texts
            : throw new InvalidOperationException($"Row {cursor.Position + 1} has no {role} in column '{column.Name}'.");
    }
}
