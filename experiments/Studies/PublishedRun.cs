using System.Diagnostics;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Reporting;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies;

/// <summary>A classifier that begins with a published encoder, with default settings.</summary>
/// <param name="encoder">The encoder.</param>
/// <param name="fineTuning">How much of it is trained.</param>
internal sealed class PublishedRun(PublishedEncoder encoder, Training.FineTuning fineTuning)
{
    /// <summary>Name of the value that tells how long the training took.</summary>
    public const string FitSeconds = "fit seconds";

    /// <summary>Trains and measures.</summary>
    public IReadOnlyDictionary<string, double> Execute(TextSet set, int seed, Engine engine, CancellationToken stop)
    {
        var watch = Stopwatch.StartNew();
        var config = new PublishedTextConfig { FineTuning = fineTuning, Training = new TrainingConfig { Seed = seed } };
        var trainer = new PublishedTextTrainer(config, PublishedEncoderSource.Open(encoder), set.Classes.Count, engine);
        var model = trainer.Train(
            [.. set.Train.Select(row => new Example<EncodedText>(trainer.Input.Encode(row.First, row.Second), set.ClassOf(row)))], stop: stop);
        var seconds = watch.Elapsed.TotalSeconds;
        var input = (TextInput)model.Input;
        var probabilities = new float[set.Test.Count * set.Classes.Count];
        model.Score([.. set.Test.Select(row => input.Encode(row.First, row.Second))], probabilities);
        return new Dictionary<string, double>(Quality.Of(probabilities, [.. set.Test.Select(set.ClassOf)]).Values) { [FitSeconds] = seconds };
    }
}
