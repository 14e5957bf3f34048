namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// What generated texts are worth, by the metrics that papers print: of any texts, this library's or not, that stand in a column of a table.
/// </summary>
/// <remarks>
/// Scores are times 100, as they are printed, but for those of <see cref="Perplexity"/>. A missing text is an empty one, which is a wrong
/// answer. All methods throw <see cref="ArgumentOutOfRangeException"/> where a column is missing or of the wrong type, and
/// <see cref="InvalidOperationException"/> where a table has no rows or a row no value that is needed; the messages name column and row.
/// No method runs code that a model wrote: of programs, the application's own runner says whether they pass.
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var metrics = TextEvaluation.Squad(generator.Transform(questions), "Prediction", "Answers");
/// Console.WriteLine($"{metrics.ExactMatch:F1}, {metrics.F1:F1}");
/// ]]></code>
/// </example>
public static class TextEvaluation
{
    /// <summary>
    /// Exact match and F1 of answers by the rules of SQuAD 1.1 (Rajpurkar et al. 2016): in lower case, without ASCII punctuation, English
    /// articles and superfluous spaces; the best over a row's answers.
    /// </summary>
    /// <param name="data">A question a row.</param>
    /// <param name="predictionColumnName">Column of predicted answers, text.</param>
    /// <param name="answersColumnName">
    /// Column of right answers, text or a vector of texts. Empty texts of a vector of fixed size are no answers; those of one of variable
    /// size are.
    /// </param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows, or a row no answer.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static SquadMetrics Squad(
        IDataView data,
        string predictionColumnName = "Prediction",
        string answersColumnName = "Label",
        CancellationToken cancellationToken = default) => SquadProtocol.Run(
            EvaluationTexts.WithReferences(data, predictionColumnName, answersColumnName, "answer", cancellationToken));

    /// <summary>
    /// ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries") as the package
    /// rouge-score computes them, averaged over rows; of several references the one with the best F1 counts, for each score by itself.
    /// ROUGE-Lsum takes each line for a sentence.
    /// </summary>
    /// <param name="data">A text a row.</param>
    /// <param name="predictionColumnName">Column of predicted texts.</param>
    /// <param name="referenceColumnName">
    /// Column of texts that people wrote, text or a vector of texts. Empty texts of a vector of fixed size are no references.
    /// </param>
    /// <param name="useStemmer">Whether words of more than three letters count as their stems by Porter's rules for English.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows, or a row no reference.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static RougeMetrics Rouge(
        IDataView data,
        string predictionColumnName = "Prediction",
        string referenceColumnName = "Label",
        bool useStemmer = false,
        CancellationToken cancellationToken = default) => RougeProtocol.Run(
            EvaluationTexts.WithReferences(data, predictionColumnName, referenceColumnName, "reference", cancellationToken),
            useStemmer,
            cancellationToken);

    /// <summary>
    /// The scores of a task of GLUE, of labels that were generated as text: a prediction must be the label's digit, or, of
    /// <see cref="GlueTask.Stsb"/>, a number; white space around it does not count. Other texts are wrong: for F1 they are the other label,
    /// for Matthews' correlation a class that no row is of, for STS-B the score −1.
    /// </summary>
    /// <param name="data">An example a row.</param>
    /// <param name="task">The task, which decides on scores and labels.</param>
    /// <param name="predictionColumnName">Column of predicted labels, text.</param>
    /// <param name="labelColumnName">Column of labels: text, a number or Boolean.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit, or there is no such task.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows, or a row a label that is none of the task's.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static GlueMetrics Glue(
        IDataView data,
        GlueTask task,
        string predictionColumnName = "Prediction",
        string labelColumnName = "Label",
        CancellationToken cancellationToken = default) => GlueProtocol.Run(
            EvaluationTexts.Labelled(data, predictionColumnName, labelColumnName, cancellationToken),
            OptionCheck.Defined(task, nameof(task)),
            labelColumnName);

    /// <summary>
    /// How often classes are told right of what a model writes, where some of what it writes is no class's text
    /// (<see cref="ClassReading.Written"/>): a row without a predicted class is wrong, as in the papers. ML.NET's
    /// <c>MulticlassClassification.Evaluate</c> leaves such rows out, so that its accuracy is that of the others alone. Rows without a label
    /// are left out here too.
    /// </summary>
    /// <param name="data">A row to each prediction.</param>
    /// <param name="predictedLabelColumnName">Column of predicted classes, missing where there is none: a key, or text as behind it.</param>
    /// <param name="labelColumnName">Column of labels: a key, text, a number or Boolean.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows, or none with a label.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static WrittenClassMetrics Classes(
        IDataView data,
        string predictedLabelColumnName = "PredictedLabel",
        string labelColumnName = "Label",
        CancellationToken cancellationToken = default) => WrittenClassProtocol.Run(
            EvaluationTexts.Classes(data, predictedLabelColumnName, labelColumnName, cancellationToken), labelColumnName);

    /// <summary>
    /// Shares of right answers to GSM8K's word problems (Cobbe et al. 2021), by the data set's own rule and by the two of
    /// lm-evaluation-harness.
    /// </summary>
    /// <param name="data">A problem a row.</param>
    /// <param name="predictionColumnName">Column of predicted solutions, text.</param>
    /// <param name="answerColumnName">
    /// Column of the data set's solutions, text: what counts is the number after <c>#### </c>, or the text where it is a number.
    /// </param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows, or a solution no number.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static Gsm8kMetrics Gsm8k(
        IDataView data,
        string predictionColumnName = "Prediction",
        string answerColumnName = "Label",
        CancellationToken cancellationToken = default) => Gsm8kProtocol.Run(
            EvaluationTexts.Pairs(data, predictionColumnName, answerColumnName, cancellationToken), answerColumnName);

    /// <summary>
    /// pass@k of programs that were run before: how likely it is that one of k samples of a task passes, estimated without bias from all its
    /// samples (Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1).
    /// </summary>
    /// <param name="data">A sample a row.</param>
    /// <param name="taskColumnName">Column of the task's name: text, a number or a key.</param>
    /// <param name="passedColumnName">Column that tells whether the sample passed: Boolean, or 1 and 0.</param>
    /// <param name="k">
    /// Numbers of samples, each at least 1; null for those of 1, 10 and 100 of which every task has enough.
    /// </param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit, or a k is below 1.</exception>
    /// <exception cref="InvalidOperationException">
    /// The table has no rows, a row no value, or a task fewer samples than a given k.
    /// </exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static PassAtKMetrics PassAtK(
        IDataView data,
        string taskColumnName = "TaskId",
        string passedColumnName = "Passed",
        IReadOnlyList<int>? k = null,
        CancellationToken cancellationToken = default)
    {
        PassAtKProtocol.Check(k);
        return PassAtKProtocol.Run(EvaluationTexts.Results(data, taskColumnName, passedColumnName, cancellationToken), k);
    }

    /// <summary>
    /// pass@k of completions of HumanEval's prompts, or of others of its form. The programs are put together here
    /// (<see cref="HumanEvalProgram"/>) and run by the application, whose matter it is to keep what a model wrote from doing harm: in a
    /// process of its own, without rights and network, with a limit on time (HumanEval's is 3 seconds) and memory.
    /// </summary>
    /// <param name="data">A sample a row.</param>
    /// <param name="run">
    /// Runs a program; true where it ended without an error within its limits, else false. Its token is cancelled when the evaluation is, or
    /// when another run has thrown an exception.
    /// </param>
    /// <param name="taskColumnName">Column of the task's name: text, a number or a key.</param>
    /// <param name="promptColumnName">Column of prompts, text.</param>
    /// <param name="completionColumnName">Column of what the model wrote behind the prompt, text.</param>
    /// <param name="testColumnName">Column of the code that defines <c>check</c>, text.</param>
    /// <param name="entryPointColumnName">Column of the name of the function that is tested, text.</param>
    /// <param name="k">
    /// Numbers of samples, each at least 1; null for those of 1, 10 and 100 of which every task has enough.
    /// </param>
    /// <param name="concurrentRuns">How many programs may run at once, at least 1.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit, or an argument is out of its range.</exception>
    /// <exception cref="InvalidOperationException">
    /// The table has no rows, a row no value, a task fewer samples than a given k, or the runner threw an exception.
    /// </exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static async Task<PassAtKMetrics> HumanEvalAsync(
        IDataView data,
        Func<string, CancellationToken, Task<bool>> run,
        string taskColumnName = "TaskId",
        string promptColumnName = "Prompt",
        string completionColumnName = "Prediction",
        string testColumnName = "Test",
        string entryPointColumnName = "EntryPoint",
        IReadOnlyList<int>? k = null,
        int concurrentRuns = 1,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(run);
        OptionCheck.Range(concurrentRuns, 1, int.MaxValue, nameof(concurrentRuns));
        PassAtKProtocol.Check(k);
        var samples = EvaluationTexts.Samples(
            data, taskColumnName, promptColumnName, completionColumnName, testColumnName, entryPointColumnName, cancellationToken);
        PassAtKProtocol.CheckSamples(samples.Select(s => s.Task), k);
        var results = await HumanEvalProtocol.RunAsync(samples, run, concurrentRuns, cancellationToken).ConfigureAwait(false);
        return PassAtKProtocol.Run(results, k);
    }

    /// <summary>
    /// The program that tests a completion, as HumanEval's own evaluation puts it together: prompt, completion, tests and the call of
    /// <c>check</c>.
    /// </summary>
    /// <param name="prompt">What the model was given.</param>
    /// <param name="completion">What it wrote behind it.</param>
    /// <param name="test">Code that defines <c>check</c>.</param>
    /// <param name="entryPoint">Name of the function that is tested.</param>
    public static string HumanEvalProgram(string prompt, string completion, string test, string entryPoint)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(completion);
        ArgumentException.ThrowIfNullOrEmpty(test);
        ArgumentException.ThrowIfNullOrEmpty(entryPoint);
        return new HumanEvalSample("", prompt, completion, test, entryPoint).Program;
    }

    /// <summary>Perplexity, bits per token and, with a column of texts, bits per character and byte, of all rows together.</summary>
    /// <param name="data">A text a row.</param>
    /// <param name="logProbabilityColumnName">Column of the summed natural log-probabilities of the text's tokens, at most 0.</param>
    /// <param name="tokenCountColumnName">Column of the number of those tokens.</param>
    /// <param name="textColumnName">Column of the text that those tokens are; null: bits per character are not asked for.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column does not fit.</exception>
    /// <exception cref="InvalidOperationException">
    /// The table has no rows, a row no finite value or one that is out of its range, or no row has a token or text.
    /// </exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static PerplexityMetrics Perplexity(
        IDataView data,
        string logProbabilityColumnName = "LogProbability",
        string tokenCountColumnName = "TokenCount",
        string? textColumnName = null,
        CancellationToken cancellationToken = default) => PerplexityProtocol.Run(
            EvaluationTexts.Scored(data, logProbabilityColumnName, tokenCountColumnName, textColumnName, cancellationToken),
            (logProbabilityColumnName, tokenCountColumnName, textColumnName),
            textColumnName is not null);
}
