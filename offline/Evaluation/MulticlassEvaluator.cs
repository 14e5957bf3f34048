using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

internal sealed class MulticlassEvaluator
{
    private const float LeastProbability = 1e-15f;

    private readonly double[][] _confusion;
    private readonly double[] _classCounts;
    private readonly double[] _classLogLoss;
    private readonly double[] _rankCounts;
    private double _rows;
    private double _logLoss;

    private MulticlassEvaluator(int classes)
    {
        _confusion = [.. Enumerable.Range(0, classes).Select(_ => new double[classes])];
        _classCounts = new double[classes];
        _classLogLoss = new double[classes];
        _rankCounts = new double[classes + 1];
    }

    internal static MulticlassClassificationMetrics Evaluate(
        IDataView data, string labelName, string scoreName, string predictedLabelName, int topK)
    {
        var (label, score) = (Find(data, labelName, "Label"), Find(data, scoreName, "Score"));
        Find(data, predictedLabelName, "PredictedLabel");
        if (score.Type is not VectorDataViewType { Size: >= 2 } vector || vector.ItemType != NumberDataViewType.Single)
            throw Mismatch("score", score, "vector of two or more items of type Single");
        if (label.Type != NumberDataViewType.Single && label.Type is not KeyDataViewType)
            throw Mismatch("label", label, "Single or Key");
        Contracts.CheckParam(topK <= vector.Size + 1, "topKPredictionCount", $"There are only {vector.Size} classes.");
        var evaluator = new MulticlassEvaluator(vector.Size);
        evaluator.Count(data, label, score);
        return evaluator.Metrics(NamesOf(score, vector.Size), topK);
    }

    private static DataViewSchema.Column Find(IDataView data, string name, string role) => data.Schema.GetColumnOrNull(name) ??
        throw Contracts.ExceptParam("schema", $"Could not find {role} column '{name}'");

    private static Exception Mismatch(string role, DataViewSchema.Column column, string expected) => Contracts.ExceptParam(
        "schema", $"Schema mismatch for {role} column '{column.Name}': expected {expected}, got {column.Type}");

    private static string[] NamesOf(DataViewSchema.Column score, int classes)
    {
        if (!score.HasSlotNames())
            return [.. Enumerable.Range(0, classes).Select(i => i.ToString())];
        VBuffer<ReadOnlyMemory<char>> names = default;
        score.GetSlotNames(ref names);
        return [.. names.DenseValues().Select(n => n.ToString())];
    }

    private void Count(IDataView data, DataViewSchema.Column label, DataViewSchema.Column score)
    {
        using var cursor = data.GetRowCursor([label, score]);
        var getLabel = Types.Call<Func<double>>(Numbers.Reader<int>, label.Type.RawType, cursor, label);
        var getScore = cursor.GetGetter<VBuffer<float>>(score);
        VBuffer<float> buffer = default;
        var scores = new float[_classCounts.Length];
        while (cursor.MoveNext())
        {
            // A key counts from 1, and 0 is a missing label.
            var value = label.Type is KeyDataViewType ? getLabel() - 1 : getLabel();
            if (!(value >= 0) || value != (int)value)
                continue;
            getScore(ref buffer);
            Contracts.Check(buffer.Length == scores.Length, $"A row has {buffer.Length} scores, not {scores.Length}.");
            buffer.CopyTo(scores);
            if (scores.All(float.IsFinite))
                Add((int)value, scores);
        }
    }

    private void Add(int label, float[] scores)
    {
        var known = label < scores.Length;
        var logLoss = -Math.Log(known ? Math.Min(1, Math.Max(LeastProbability, scores[label])) : LeastProbability);
        var (rank, assigned) = (0, 0);
        var correct = known ? scores[label] : 0;
        for (var i = 0; i < scores.Length; i++)
        {
            if (scores[i] > correct || scores[i] == correct && i < label)
                rank++;
            if (scores[i] > scores[assigned])
                assigned = i;
        }

        _rows++;
        _logLoss += logLoss;
        _rankCounts[rank]++;
        if (!known)
            return;
        _classCounts[label]++;
        _classLogLoss[label] += logLoss;
        _confusion[label][rank == 0 ? label : assigned]++;
    }

    private MulticlassClassificationMetrics Metrics(string[] names, int topK)
    {
        var seen = Enumerable.Range(0, names.Length).Where(i => _classCounts[i] > 0).ToArray();
        var logLoss = _rows > 0 ? _logLoss / _rows : 0;
        var entropy = -seen.Sum(i => _classCounts[i] * Math.Log(_classCounts[i] / _rows)) / _rows;
        var topKAccuracies = topK > 0 ? new double[topK] : null;
        for (var i = 0; i < (topKAccuracies?.Length ?? 0); i++)
            topKAccuracies[i] = _rankCounts[i] / _rows + (i > 0 ? topKAccuracies[i - 1] : 0);
        return new MulticlassClassificationMetrics(
            _rows > 0 ? _rankCounts[0] / _rows : 0,
            seen.Length > 0 ? seen.Average(i => _confusion[i][i] / _classCounts[i]) : 0,
            logLoss,
            (entropy - logLoss) / entropy,
            topK,
            topKAccuracies,
            [.. _classLogLoss.Select((sum, i) => _classCounts[i] > 0 ? sum / _classCounts[i] : 0)],
            new ConfusionMatrix(_confusion, names));
    }
}
