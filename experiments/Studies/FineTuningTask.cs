using System.Globalization;
using Microsoft.ML.Moe.Experiments.Data;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>What is learned in a fine-tuning.</summary>
/// <param name="Data">Name of the data set.</param>
/// <param name="PerClass">Training rows of each class, drawn by the run's seed; null takes all.</param>
/// <param name="Epochs">Passes over the training rows.</param>
internal sealed record FineTuningTask(string Data, int? PerClass, int Epochs)
{
    /// <summary>Name in logs and tables.</summary>
    public override string ToString() =>
        PerClass is { } count ? $"{Data}, {count.ToString(CultureInfo.InvariantCulture)} a class" : Data;

    /// <summary>The rows of a run.</summary>
    public DataSet Load(DataFolder folder, int seed)
    {
        var data = folder.Load(Data);
        return PerClass is { } count ? data.WithExamples(count, seed) : data;
    }
}
