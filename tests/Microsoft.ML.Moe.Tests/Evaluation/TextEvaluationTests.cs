using Microsoft.ML.Data;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Transforms;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class TextEvaluationTests
{
    private static readonly MLContext Ml = new(seed: 1);

    [Fact]
    public void TheBestAnswerCounts()
    {
        // exact match: rows 1 and 3 of 4; F1: 1, 2·(1/2·1)/(1/2 + 1) = 2/3, 1, 0
        var metrics = TextEvaluation.Squad(Ml.Data.LoadFromEnumerable(
            [
                new Answers { Prediction = "the River!", Label = ["lake", "a river"] },
                new Answers { Prediction = "old mill", Label = ["mill", "water"] },
                new Answers { Prediction = "1066", Label = ["1066"] },
                new Answers { Prediction = "", Label = ["something"] },
            ]));

        Assert.Equal((50, 4), (metrics.ExactMatch, metrics.Rows));
        Assert.Equal(100 * (2 + (2.0 / 3)) / 4, metrics.F1, 1e-12);
        Assert.Equal("SQuAD: exact match 50.00, F1 66.67, 4 rows", metrics.ToString());
    }

    [Fact]
    public void AnAnswerMayBeATextByItself() =>
        Assert.Equal(100, TextEvaluation.Squad(Pairs(("A river", "the river"))).ExactMatch);

    [Fact]
    public void EmptyPlacesOfAVectorOfFixedSizeAreNoAnswers()
    {
        var schema = SchemaDefinition.Create(typeof(Answers));
        schema[nameof(Answers.Label)].ColumnType = new VectorDataViewType(TextDataViewType.Instance, 2);
        var table = Ml.Data.LoadFromEnumerable([new Answers { Prediction = "", Label = ["river", ""] }], schema);

        Assert.Equal(0, TextEvaluation.Squad(table).ExactMatch);
        var none = Ml.Data.LoadFromEnumerable([new Answers { Prediction = "x", Label = ["", ""] }], schema);
        Assert.Equal(
            "Row 1 has no answer in column 'Label'.", Assert.Throws<InvalidOperationException>(() => TextEvaluation.Squad(none)).Message);
    }

    [Fact]
    public void RougeIsTheMeanOfTheRows()
    {
        // Row 1: "a b c" of "a c": precision 2/3, recall 1, F1 4/5; pairs 0. Row 2: no words in common.
        var metrics = TextEvaluation.Rouge(Pairs(("a b c", "a c"), ("x", "y")));

        Assert.Equal(100 / 3.0, metrics.Rouge1.Precision, 1e-12);
        Assert.Equal((50, 40), (metrics.Rouge1.Recall, Math.Round(metrics.Rouge1.F1, 9)));
        Assert.Equal(default, metrics.Rouge2);
        Assert.Equal(metrics.Rouge1, metrics.RougeL);
        Assert.Equal("ROUGE (F1): ROUGE-1 40.00, ROUGE-2 0.00, ROUGE-L 40.00, ROUGE-Lsum 40.00, 2 rows", metrics.ToString());
    }

    [Fact]
    public void WordsCountAsTheirStemsOnlyWhereAsked()
    {
        var table = Pairs(("running", "runs"));

        Assert.Equal(0, TextEvaluation.Rouge(table).Rouge1.F1);
        Assert.Equal(100, TextEvaluation.Rouge(table, useStemmer: true).Rouge1.F1);
    }

    [Fact]
    public void AnUnreadableLabelIsWrongAndForF1TheOther()
    {
        // accuracy 2/4; for F1 the third row's prediction is 0: one right positive, one missed, one false alarm
        var metrics = TextEvaluation.Glue(Pairs((" 1 ", "1"), ("0", "0"), ("equivalent", "1"), ("1", "0")), GlueTask.Mrpc);

        Assert.Equal((50, 50, 50, 1), (metrics.Accuracy, metrics.F1, metrics.Score, metrics.Unreadable));
        Assert.Equal(
            "GLUE mrpc: accuracy 50.00, F1 50.00, 4 rows, 1 of them with a prediction that is no label", metrics.ToString());
    }

    [Fact]
    public void EachUnreadableTextIsAClassOfItsOwnForMatthews()
    {
        // labels 1 1 0 0, predictions 1 x y 0: right 2, rows 4, Σ p·t = 2·1 + 2·1 = 4, Σ t² = 8, Σ p² = 4
        var metrics = TextEvaluation.Glue(Pairs(("1", "1"), ("x", "1"), ("y", "0"), ("0", "0")), GlueTask.Cola);

        Assert.Equal(100 * ((2 * 4) - 4) / Math.Sqrt((16 - 8) * (16 - 4)), metrics.Matthews!.Value, 1e-9);
        Assert.Equal(((double?)null, 2), (metrics.Accuracy, metrics.Unreadable));
    }

    [Fact]
    public void AClassThatWasNotWrittenIsWrong()
    {
        // right: 2 of the 3 rows of "a", 0 of 1 of "b"; the row without a label does not count
        (string?, string?)[] rows = [("a", "a"), ("a", "a"), (null, "a"), (null, "b"), ("a", null)];
        var texts = Pairs([.. rows.Select(row => (row.Item1 ?? "", row.Item2 ?? ""))]);
        var keys = Keys("Label", "a", "b").Append(Keys("Prediction", "a", "b")).Fit(texts).Transform(texts);
        foreach (var table in new[] { texts, keys })
        {
            var metrics = TextEvaluation.Classes(table, "Prediction");
            Assert.Equal((50, 4, 2), (metrics.Accuracy, metrics.Rows, metrics.Unreadable));
            Assert.Equal(100.0 / 3, metrics.MacroAccuracy, 1e-9);
        }

        Assert.Equal(
            "Classes: accuracy 50.00, mean of the classes 33.33, 4 rows, 2 unreadable", TextEvaluation.Classes(texts, "Prediction").ToString());
        Assert.Equal("No row has a label in column 'Label'.", Message(() => TextEvaluation.Classes(Pairs(("a", "")), "Prediction")));
        Assert.Contains("'PredictedLabel'", Assert.Throws<ArgumentOutOfRangeException>(() => TextEvaluation.Classes(texts)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingKeyIsALabelOfGlueThatCannotBeRead()
    {
        var labels = Pairs(("1", "1"), ("0", "0"), ("equivalent", "1"));
        var predicted = Keys("Prediction", "0", "1")
            .Append(Ml.Transforms.Conversion.MapKeyToValue("Prediction")).Fit(labels).Transform(labels);
        var metrics = TextEvaluation.Glue(predicted, GlueTask.Rte);
        Assert.Equal(1, metrics.Unreadable);
        Assert.Equal(200.0 / 3, metrics.Accuracy!.Value, 1e-9);
    }

    [Theory]
    [InlineData(GlueTask.Sst2)]
    [InlineData(GlueTask.Qnli)]
    [InlineData(GlueTask.Rte)]
    [InlineData(GlueTask.Wnli)]
    [InlineData(GlueTask.Mnli)]
    public void OtherTasksHaveAccuracyAlone(GlueTask task)
    {
        var metrics = TextEvaluation.Glue(Pairs(("1", "1"), ("", "0"), ("2", "0"), ("0", "0")), task);

        Assert.Equal((50, null, null, null, null), (metrics.Accuracy, metrics.F1, metrics.Matthews, metrics.Pearson, metrics.Spearman));
        Assert.Equal(task == GlueTask.Mnli ? 1 : 2, metrics.Unreadable);
    }

    [Fact]
    public void LabelsMayBeNumbersOrBoolean()
    {
        var table = Ml.Data.LoadFromEnumerable(
            [new Labelled { Prediction = "1", Number = 1, Flag = true }, new Labelled { Prediction = "0", Number = 0, Flag = true }]);

        Assert.Equal(100, TextEvaluation.Glue(table, GlueTask.Qqp, labelColumnName: "Number").Accuracy);
        Assert.Equal(50, TextEvaluation.Glue(table, GlueTask.Qqp, labelColumnName: "Flag").Accuracy);
    }

    [Fact]
    public void AScoreThatIsNoNumberIsMinusOne()
    {
        var metrics = TextEvaluation.Glue(Pairs(("1.0", "1"), ("2.0", "2"), ("three", "0"), ("nan", "0")), GlueTask.Stsb);

        Assert.Equal((100, 2), (Math.Round(metrics.Spearman!.Value, 9), metrics.Unreadable));
        Assert.Equal(0, TextEvaluation.Glue(Pairs(("x", "1"), ("y", "2")), GlueTask.Stsb).Pearson);
    }

    [Fact]
    public void LabelsThatAreNoneOfTheTaskAreNamed()
    {
        Assert.Equal(
            "Row 2 has the label '-1' in column 'Label'; labels of rte must be 0, 1.",
            Message(() => TextEvaluation.Glue(Pairs(("0", "0"), ("0", "-1")), GlueTask.Rte)));
        Assert.Equal(
            "Row 1 has the label 'high' in column 'Label'; labels of stsb must be numbers.",
            Message(() => TextEvaluation.Glue(Pairs(("0", "high")), GlueTask.Stsb)));
    }

    [Fact]
    public void Gsm8kHasThreeRules()
    {
        const string Solution = "He has 3*24=<<3*24=72>>72 eggs.\n#### 1,072";
        // Marked; marked with a point, which only the harness forgives; a last number without mark; a number that is not the last.
        var metrics = TextEvaluation.Gsm8k(Pairs(
            ("So it is\n#### 1072", Solution),
            ("#### 1,072.", Solution),
            ("The answer is $1,072.", Solution),
            ("1072 of 2000", Solution)));

        Assert.Equal((25, 50, 75), (metrics.ExactMatch, metrics.StrictMatch, metrics.FlexibleExtract));
        Assert.Equal("GSM8K: exact match 25.00, strict match 50.00, flexible extract 75.00, 4 rows", metrics.ToString());
    }

    [Fact]
    public void ALabelOfGsm8kMayBeTheNumberAlone()
    {
        Assert.Equal(100, TextEvaluation.Gsm8k(Pairs(("#### -3.5", " -3.5 "))).ExactMatch);
        Assert.StartsWith(
            "Row 2 has the label 'none' in column 'Label', which has no number after '#### '",
            Message(() => TextEvaluation.Gsm8k(Pairs(("", "1"), ("", "none")))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void PassAtKIsEstimatedFromAllSamples()
    {
        // Task a: 1 of 4; task b: 0 of 3. pass@1 = (1/4 + 0)/2; pass@2 of a = 1 − C(3,2)/C(4,2) = 1/2.
        var table = Results(("a", true), ("a", false), ("a", false), ("a", false), ("b", false), ("b", false), ("b", false));

        var metrics = TextEvaluation.PassAtK(table, k: [2, 1]);

        Assert.Equal([(1, 12.5), (2, 25.0)], metrics.PassAtK.Select(p => (p.Key, Math.Round(p.Value, 9))));
        Assert.Equal((2, 7, 1), (metrics.Tasks, metrics.Samples, metrics.Passed));
        Assert.Equal("pass@1 12.50, pass@2 25.00; 1 of 7 samples of 2 tasks passed", metrics.ToString());
        Assert.Equal([1], TextEvaluation.PassAtK(table).PassAtK.Keys);
    }

    [Fact]
    public void TooFewSamplesForKAreNamed()
    {
        var table = Results(("a", true), ("a", true), ("b", true));

        Assert.Equal(
            "Task 'b' has 1 samples; pass@2 needs at least 2 of each task.", Message(() => TextEvaluation.PassAtK(table, k: [1, 2])));
        Assert.Throws<ArgumentOutOfRangeException>(() => TextEvaluation.PassAtK(table, k: [0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => TextEvaluation.PassAtK(table, k: []));
    }

    [Fact]
    public async Task TheApplicationRunsThePrograms()
    {
        var programs = new List<string>();
        var metrics = await TextEvaluation.HumanEvalAsync(
            Programs(("t1", "    return a + b\n"), ("t1", "    return a - b\n"), ("t2", "    return a + b\n")),
            (program, _) =>
            {
                programs.Add(program);
                return Task.FromResult(program.Contains('+', StringComparison.Ordinal));
            });

        Assert.Equal((75, 2), (metrics.PassAtK[1], metrics.Passed));
        Assert.Equal(
            "def add(a, b):\n    return a + b\n\ndef check(f):\n    assert f(1, 2) == 3\n\ncheck(add)", programs[0]);
        Assert.Equal(
            programs[0],
            TextEvaluation.HumanEvalProgram(
                "def add(a, b):\n", "    return a + b\n", "def check(f):\n    assert f(1, 2) == 3\n", "add"));
    }

    [Fact]
    public async Task ProgramsMayRunAtOnce()
    {
        // The first two runs wait for each other: with fewer at once than two this would not end.
        using var barrier = new Barrier(2);
        var metrics = await TextEvaluation.HumanEvalAsync(
            Programs(("a", "x"), ("b", "y")),
            (_, stop) => Task.Run(() => barrier.SignalAndWait(TimeSpan.FromMinutes(1), stop), stop),
            concurrentRuns: 2);

        Assert.Equal(100, metrics.PassAtK[1]);
    }

    [Fact]
    public async Task ARunnerThatThrowsIsTold()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => TextEvaluation.HumanEvalAsync(
            Programs(("first", "x"), ("second", "y")),
            (program, _) => program.Contains('y', StringComparison.Ordinal) ? throw new IOException("No sandbox.") : Task.FromResult(true)));

        Assert.StartsWith("The runner failed at row 2, task 'second': No sandbox.", error.Message, StringComparison.Ordinal);
        Assert.IsType<IOException>(error.InnerException);
    }

    [Fact]
    public async Task RunsCanBeCancelled()
    {
        using var source = new CancellationTokenSource();
        var started = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => TextEvaluation.HumanEvalAsync(
            Programs(("a", "x"), ("b", "y")),
            async (_, stop) =>
            {
                started++;
                await source.CancelAsync();
                stop.ThrowIfCancellationRequested();
                return true;
            },
            cancellationToken: source.Token));

        Assert.Equal(1, started);
    }

    [Fact]
    public async Task NothingRunsWhereSomethingIsMissing()
    {
        Func<string, CancellationToken, Task<bool>> never = (_, _) => throw new InvalidOperationException("It ran.");

        Assert.Equal(
            "Row 1 has no text in column 'Test'.",
            (await Assert.ThrowsAsync<InvalidOperationException>(() => TextEvaluation.HumanEvalAsync(
                Ml.Data.LoadFromEnumerable([new ProgramRow { TaskId = "a", EntryPoint = "f" }]), never))).Message);
        Assert.Contains(
            "pass@10",
            (await Assert.ThrowsAsync<InvalidOperationException>(
                () => TextEvaluation.HumanEvalAsync(Programs(("a", "x")), never, k: [10]))).Message,
            StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            () => TextEvaluation.HumanEvalAsync(Programs(("a", "x")), never, concurrentRuns: 0));
    }

    [Fact]
    public void PerplexityIsOfAllTokensTogether()
    {
        // 4 + 2 tokens of probability 1/2 and 1/4: 4 + 4 bits; "río" is 3 characters and 4 bytes, "ab" 2 of each
        var table = Ml.Data.LoadFromEnumerable(
            [
                new Scored { LogProbability = 4 * MathF.Log(0.5f), TokenCount = 4, Text = "río" },
                new Scored { LogProbability = 2 * MathF.Log(0.25f), TokenCount = 2, Text = "ab" },
            ]);

        var metrics = TextEvaluation.Perplexity(table, textColumnName: "Text");

        Assert.Equal(Math.Pow(2, 8 / 6.0), metrics.Perplexity, 1e-6);
        Assert.Equal(8 / 6.0, metrics.BitsPerToken, 1e-6);
        Assert.Equal(8 / 5.0, metrics.BitsPerCharacter!.Value, 1e-6);
        Assert.Equal(8 / 6.0, metrics.BitsPerByte!.Value, 1e-6);
        Assert.Equal((6, 5, 2), (metrics.Tokens, metrics.Characters, metrics.Rows));
        Assert.Equal("Perplexity 2.5198, 1.6000 bits per character, 6 tokens, 2 rows", metrics.ToString());
        Assert.Equal("Perplexity 2.5198, 6 tokens, 2 rows", TextEvaluation.Perplexity(table).ToString());
    }

    [Fact]
    public void CharactersBeyondTheFirstPlaneCountOnce()
    {
        var table = Ml.Data.LoadFromEnumerable([new Scored { LogProbability = -MathF.Log(2), TokenCount = 1, Text = "🙂" }]);

        Assert.Equal(1, TextEvaluation.Perplexity(table, textColumnName: "Text").Characters);
    }

    [Fact]
    public void NumbersOutOfRangeAreNamed()
    {
        Assert.Equal(
            "Row 1 has the value 1 in column 'LogProbability'; a log-probability is at most 0.",
            Of(new Scored { LogProbability = 1, TokenCount = 1 }));
        Assert.Equal(
            "Row 1 has the value -2 in column 'TokenCount'; a number of tokens is whole and at least 0.",
            Of(new Scored { LogProbability = -1, TokenCount = -2 }));
        Assert.Equal(
            "Row 1 has no finite number in column 'LogProbability'.",
            Of(new Scored { LogProbability = float.NegativeInfinity, TokenCount = 1 }));
        Assert.Equal("No row has a token in column 'TokenCount'.", Of(new Scored()));
        Assert.Equal("No row has text in column 'Text'.", Of(new Scored { LogProbability = -1, TokenCount = 1 }));

        static string Of(Scored row) => Message(
            () => TextEvaluation.Perplexity(Ml.Data.LoadFromEnumerable([row]), textColumnName: "Text"));
    }

    [Fact]
    public void ColumnsThatDoNotFitAreNamed()
    {
        var table = Ml.Data.LoadFromEnumerable([new Labelled()]);

        Named("The table has no prediction column 'Answer';", () => TextEvaluation.Squad(table, "Answer"));
        Named("The prediction column 'Number' is of type Single", () => TextEvaluation.Rouge(table, "Number", "Prediction"));
        Named("The answer column 'Number' is of type Single", () => TextEvaluation.Squad(table, answersColumnName: "Number"));
        Named("The reference column 'Flag' is of type Boolean", () => TextEvaluation.Rouge(table, referenceColumnName: "Flag"));
        Named("The label column 'Key' is of type Key", () => TextEvaluation.Glue(table, GlueTask.Rte, labelColumnName: "Key"));
        Named("The label column 'Number' is of type Single", () => TextEvaluation.Gsm8k(table, answerColumnName: "Number"));
        Named("The result column 'Prediction' is of type String", () => TextEvaluation.PassAtK(table, "Key", "Prediction"));
        Named("The table has no log-probability column 'LogProbability';", () => TextEvaluation.Perplexity(table));
        Named("The table has no text column 'Text';", () => TextEvaluation.Perplexity(table, "Number", "Number", "Text"));
        Named("task must be one of Cola", () => TextEvaluation.Glue(Pairs(("1", "1")), (GlueTask)99));

        static void Named(string message, Action action) => Assert.StartsWith(
            message, Assert.Throws<ArgumentOutOfRangeException>(action).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATableWithoutRowsIsTold()
    {
        Assert.Equal("The table of predictions has no rows.", Message(() => TextEvaluation.Squad(Pairs())));
        Assert.Equal("The table of results has no rows.", Message(() => TextEvaluation.PassAtK(Results())));
        Assert.Equal(
            "The table of texts has no rows.", Message(() => TextEvaluation.Perplexity(Ml.Data.LoadFromEnumerable<Scored>([]))));
        Assert.Equal(
            "Row 1 has the result 2 in column 'Number'; results must be 1 or 0.",
            Message(() => TextEvaluation.PassAtK(
                Ml.Data.LoadFromEnumerable([new Labelled { Prediction = "task", Number = 2 }]), "Prediction", "Number")));
    }

    [Fact]
    public void EvaluationsCanBeCancelled()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(() => TextEvaluation.Rouge(Pairs(("a", "b")), cancellationToken: source.Token));
        Assert.Throws<OperationCanceledException>(() => TextEvaluation.Gsm8k(Pairs(("a", "1")), cancellationToken: source.Token));
    }

    private static string Message(Action action) => Assert.Throws<InvalidOperationException>(action).Message;

    private static IDataView Pairs(params (string Prediction, string Label)[] rows) =>
        Ml.Data.LoadFromEnumerable(rows.Select(r => new Pair { Prediction = r.Prediction, Label = r.Label }));

    /// <summary>Makes keys of a column, of these values alone.</summary>
    private static ValueToKeyMappingEstimator Keys(string column, params string[] values)
    {
        var table = Pairs([.. values.Select(value => ("", value))]);
        return Ml.Transforms.Conversion.MapValueToKey(column, keyData: Ml.Transforms.SelectColumns("Label").Fit(table).Transform(table));
    }

    private static IDataView Results(params (string Task, bool Passed)[] rows) =>
        Ml.Data.LoadFromEnumerable(rows.Select(r => new Result { TaskId = r.Task, Passed = r.Passed }));

    private static IDataView Programs(params (string Task, string Completion)[] rows) =>
        Ml.Data.LoadFromEnumerable(rows.Select(r => new ProgramRow
        {
            TaskId = r.Task,
            Prompt = "def add(a, b):\n",
            Prediction = r.Completion,
            Test = "def check(f):\n    assert f(1, 2) == 3\n",
            EntryPoint = "add",
        }));

    private sealed class Pair
    {
        public string Prediction { get; set; } = "";

        public string Label { get; set; } = "";
    }

    private sealed class Answers
    {
        public string Prediction { get; set; } = "";

        public string[] Label { get; set; } = [];
    }

    private sealed class Labelled
    {
        public string Prediction { get; set; } = "";

        public float Number { get; set; }

        public bool Flag { get; set; }

        [KeyType(3)]
        public uint Key { get; set; } = 1;
    }

    private sealed class Result
    {
        public string TaskId { get; set; } = "";

        public bool Passed { get; set; }
    }

    private sealed class ProgramRow
    {
        public string TaskId { get; set; } = "";

        public string Prompt { get; set; } = "";

        public string Prediction { get; set; } = "";

        public string Test { get; set; } = "";

        public string EntryPoint { get; set; } = "";
    }

    private sealed class Scored
    {
        public float LogProbability { get; set; }

        public int TokenCount { get; set; }

        public string Text { get; set; } = "";
    }
}
