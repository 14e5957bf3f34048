using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Heads;

/// <summary>What the scores of a published classifier mean.</summary>
internal enum PublishedTask
{
    /// <summary>One of the classes: softmax, cross-entropy.</summary>
    OneClass,

    /// <summary>Each class or not: sigmoids, binary cross-entropy.</summary>
    ManyClasses,

    /// <summary>Numbers as they are, squared error.</summary>
    Numbers,
}

/// <summary>
/// The head with which classifiers are published: two layers over the vector of the first token, BERT's pooler and classifier and what
/// takes their place elsewhere.
/// </summary>
internal sealed class PublishedClassesHead : Head
{
    private readonly PublishedClassesHeadConfig _config;
    private readonly FirstTokenLayer _dense;
    private readonly Linear _output;
    private readonly float _dropout;

    public PublishedClassesHead(ParameterStore store, PublishedClassesHeadConfig config, EncoderConfig encoder)
    {
        _config = config;
        _dense = new FirstTokenLayer(store, "classes.dense", encoder.Width, config.Activation);
        _output = new Linear(store, "classes.output", encoder.Width, config.Classes);
        _dropout = encoder.Dropout;
    }

    /// <inheritdoc/>
    public override int Outputs => _config.Classes;

    /// <inheritdoc/>
    public override (double OfRow, double OfToken) Cost(int width) => ((double)width * (width + _config.Classes), 0);

    /// <inheritdoc/>
    public override Tensor Forward(Tape tape, EncoderOutput encoded, Batch batch) =>
        _output.Forward(tape, tape.Dropout(_dense.Forward(tape, encoded.Last, batch.Layout), _dropout));

    /// <inheritdoc/>
    public override void Write(Tape tape, Tensor scores, Span<float> outputs)
    {
        (_config.Task == PublishedTask.OneClass ? tape.Softmax(scores) : scores).CopyTo(outputs);
        if (_config.Task == PublishedTask.ManyClasses)
        {
            foreach (ref var output in outputs[..scores.Length])
                output = 1f / (1f + MathF.Exp(-output));
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A row would need more targets than the one it has.</exception>
    public override Tensor Loss(Tape tape, Tensor scores, Batch batch, Targets targets, TrainingConfig training) => _config switch
    {
        { Task: PublishedTask.OneClass } => tape.CrossEntropy(scores, targets.Classes, targets.Weights, training.LabelSmoothing),
        { Classes: > 1 } => throw new InvalidOperationException($"A row has one target, not {_config.Classes}."),
        { Task: PublishedTask.Numbers } => tape.SquaredError(scores, targets.Values, targets.Weights),
        _ => tape.BinaryCrossEntropy(scores, targets.Values, targets.Weights),
    };

    /// <inheritdoc/>
    public override void Measure(ReadOnlySpan<float> outputs, Targets targets, Measurement measurement)
    {
        if (_config.Task != PublishedTask.OneClass)
            base.Measure(outputs, targets, measurement);
        for (var i = 0; i < targets.Count; i++)
            measurement.AddProbability(outputs.Slice(i * _config.Classes, _config.Classes), targets.Classes[i], targets.Weights[i]);
    }
}

/// <summary>What a model file tells of a <see cref="PublishedClassesHead"/>.</summary>
internal sealed record PublishedClassesHeadConfig : HeadConfig
{
    /// <summary>Number of classes or numbers, C.</summary>
    public required int Classes { get; init => field = OptionCheck.Range(value, 1, ClassesHeadConfig.MaximumClasses, nameof(Classes)); }

    /// <summary>What the scores mean.</summary>
    public PublishedTask Task { get; init => field = OptionCheck.Defined(value, nameof(Task)); }

    /// <summary>Between the two layers.</summary>
    public Activation Activation { get; init => field = OptionCheck.Defined(value, nameof(Activation)); } = Activation.Tanh;

    /// <summary>The head that a folder's <c>config.json</c> describes.</summary>
    public static PublishedClassesHeadConfig Of(PublishedFolder folder)
    {
        var settings = folder.Settings;
        var classes = settings.Count("id2label") ?? settings.Int("num_labels", 2);
        var task = settings.Text("problem_type", classes == 1 ? "regression" : "single_label_classification") switch
        {
            "single_label_classification" => PublishedTask.OneClass,
            "multi_label_classification" => PublishedTask.ManyClasses,
            "regression" => PublishedTask.Numbers,
            var other => throw settings.Refused($"problem_type '{other}' is not known"),
        };
        return new PublishedClassesHeadConfig { Classes = classes, Task = task, Activation = folder.Encoder.ClassifierActivation };
    }

    /// <inheritdoc/>
    public override Head CreateHead(ParameterStore store, EncoderConfig encoder) => new PublishedClassesHead(store, this, encoder);
}
