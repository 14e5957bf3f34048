using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

/// <summary>What all trainers have in common: how the model is trained, and on what.</summary>
public abstract class MoeTrainerOptions
{
    private protected MoeTrainerOptions()
    {
    }

    /// <summary>
    /// Largest number of passes over the training rows; null chooses by the number of rows and their length. At least 1. Default null.
    /// </summary>
    public int? MaxEpochs { get; set; }

    /// <summary>Rows for each optimiser step. Within [1, 65536]. Default 64.</summary>
    public int BatchSize { get; set; } = 64;

    /// <summary>
    /// Number of parts that a batch is split into, each with its own forward and backward pass, to save memory. Within
    /// [1, <see cref="BatchSize"/>]. Default 1.
    /// </summary>
    public int AccumulationSteps { get; set; } = 1;

    /// <summary>Peak learning rate of the dense weights, over 0. Default 1e-3.</summary>
    [Range(3e-4f, 5e-3f, 1e-3f, true)]
    public float LearningRate { get; set; } = 1e-3f;

    /// <summary>Decoupled weight decay of the dense weight matrices, within [0, 1000]. Default 0.05.</summary>
    [Range(1e-3f, 0.3f, 0.05f, true)]
    public float WeightDecay { get; set; } = 0.05f;

    /// <summary>Share of all steps over which the learning rate rises to its peak, within [0, 1]. Default 0.1.</summary>
    public float WarmupShare { get; set; } = 0.1f;

    /// <summary>How the learning rate falls after the warm-up. Default <see cref="LearningRateDecay.Cosine"/>.</summary>
    public LearningRateDecay Decay { get; set; } = LearningRateDecay.Cosine;

    /// <summary>Largest joint norm of the dense gradients; larger ones are scaled down. Over 0. Default 1.</summary>
    public float MaxGradientNorm { get; set; } = 1f;

    /// <summary>
    /// Share of the training rows, drawn by class where there are classes, that is held out for validation when no validation set is
    /// given. Within [0, 0.5]; 0 trains on everything and keeps the last epoch. Default 0.02 for pretraining, 0 elsewhere.
    /// </summary>
    public float ValidationShare { get; set; }

    /// <summary>
    /// Epochs without a better validation loss after which training stops; needs validation data. null never stops early; the best
    /// epoch is restored either way. At least 1. Default null.
    /// </summary>
    public int? EarlyStoppingPatience { get; set; }

    /// <summary>
    /// Seeds initial weights, shuffling and dropout; the same seed gives the same model on the same engine. null takes that of the
    /// <see cref="MLContext"/>, or else 0. Default null.
    /// </summary>
    public int? Seed { get; set; }

    /// <summary>
    /// Worker threads of the managed engine; null takes what AppContext has as Microsoft.ML.Moe.Threads, or else all CPUs. Within [1, 1024]. Default null.
    /// </summary>
    public int? Threads { get; set; }

    /// <summary>
    /// Where training keeps its state, so that it can be taken up again after an interruption: written every minute or so and after
    /// each epoch, taken up by the next training with the same options and rows, which ends as if nothing had happened. As large as the
    /// model three times over while training goes on. Once it has ended the trained weights stay there, so that they are not lost before the
    /// model is saved: the same training then returns at once, and another one takes the file over. null keeps none. Default null.
    /// </summary>
    public string? CheckpointFile { get; set; }

    /// <summary>
    /// Processes that train the model together, as <c>mpirun</c> starts them with the package MlNetMoe.Mpi: each reads the same table, computes the gradient
    /// of its share of each batch, and ends with the same model. A batch is cut into its shards, not <see cref="AccumulationSteps"/>. The first rank alone
    /// writes <see cref="CheckpointFile"/>, which all of them read. null trains in this process alone. Default null.
    /// </summary>
    public DataParallel? DataParallel { get; set; }

    /// <summary>
    /// What the model is trained on. A GPU needs one of TorchSharp's packages for CUDA in the application; a model that was trained
    /// on one is scored on any machine. Default <see cref="MoeDevice.Automatic"/>.
    /// </summary>
    public MoeDevice Device { get; set; } = MoeDevice.Automatic;

    /// <summary>
    /// Precision of matrix products while training by TorchSharp; the managed engine trains in single precision always. Default
    /// <see cref="TrainingPrecision.Automatic"/>: bfloat16 on GPUs that compute in it.
    /// </summary>
    public TrainingPrecision Precision { get; set; } = TrainingPrecision.Automatic;

    /// <summary>Is called after each step, on the training thread: for a display of how far training is, and so to be quick. Default null.</summary>
    public Action<StepReport>? StepCompleted { get; set; }

    /// <summary>Is called after each epoch, on the training thread. Default null.</summary>
    public Action<EpochReport>? EpochCompleted { get; set; }

    /// <summary>Is called when training goes on from a checkpoint, with its last epoch: see <see cref="ITrainingObserver.OnResumed"/>.</summary>
    internal Action<EpochReport>? EpochRecalled { get; set; }

    /// <summary>
    /// Is called whenever the validation rows were evaluated, on the training thread: after each epoch, and within it where a trainer evaluates
    /// by steps. Default null.
    /// </summary>
    public Action<EvaluationReport>? EvaluationCompleted { get; set; }

    /// <summary>
    /// Ends training after the current step; the model of the best epoch so far is kept. Default <see cref="CancellationToken.None"/>.
    /// </summary>
    public CancellationToken StopToken { get; set; }

    /// <summary>Whether there are rows to choose the best epoch by.</summary>
    private protected virtual bool HasValidation => ValidationShare > 0;

    /// <summary>Whether validation tells an accuracy; if not, it tells a mean absolute error.</summary>
    internal virtual bool MeasuresAccuracy => true;

    /// <summary>Rows to choose the best epoch by; without effect on a trainer that takes none.</summary>
    internal virtual IDataView? ValidationRows
    {
        set
        {
        }
    }

    /// <summary>Names of the columns that are read and written.</summary>
    private protected abstract ColumnNames Names { get; }

    /// <summary>What messages call the table that is learned from, and which options name its columns.</summary>
    internal TableName TrainingSet => TableName.TrainingSet(Names.OptionOf);

    /// <summary>Columns of the training set.</summary>
    internal NamedSchema ColumnsOf(IDataView training) => new(training.Schema, TrainingSet);

    /// <summary>Checks every option and their combinations.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option lies outside its documented range; the message names it.</exception>
    /// <exception cref="ArgumentException">Options contradict each other; the message names them.</exception>
    public void Validate()
    {
        Names.Check();
        OptionCheck.Range(Threads, 1, 1024, nameof(Threads));
        OptionCheck.Defined(Device, nameof(Device));
        OptionCheck.Defined(Precision, nameof(Precision));
        CheckTask();
        Check(ToTrainingConfig());
        if (EarlyStoppingPatience is not null && !HasValidation)
            throw new ArgumentException(
                $"{nameof(EarlyStoppingPatience)} needs validation rows: {HowToValidate}.", nameof(EarlyStoppingPatience));
    }

    /// <summary>Options that are set and do nothing beside the others, each with the reason.</summary>
    internal virtual IEnumerable<(string Option, string Reason)> WithoutEffect()
    {
        if (EvaluationCompleted is not null && !HasValidation)
            yield return (nameof(EvaluationCompleted), $"there are no validation rows: {HowToValidate}");
    }

    /// <summary>Those of some options that are not left at their defaults.</summary>
    private protected IEnumerable<string> Changed(params string[] options)
    {
        var usual = Activator.CreateInstance(GetType());
        return options.Where(option => GetType().GetProperty(option) is { } property && !Equals(property.GetValue(this), property.GetValue(usual)));
    }

    /// <summary>What to set to have validation rows.</summary>
    private protected virtual string HowToValidate => $"set {nameof(ValidationShare)}";

    /// <summary>Checks what only this kind of trainer has.</summary>
    private protected abstract void CheckTask();

    /// <summary>Checks that how a model is trained fits what else the options say.</summary>
    private protected virtual void Check(TrainingConfig training) =>
        OptionCheck.Range(AccumulationSteps, 1, BatchSize, nameof(AccumulationSteps));

    /// <summary>How the model is trained.</summary>
    internal virtual TrainingConfig ToTrainingConfig() => new()
    {
        MaxEpochs = MaxEpochs,
        BatchSize = BatchSize,
        AccumulationSteps = AccumulationSteps,
        LearningRate = LearningRate,
        WeightDecay = WeightDecay,
        WarmupShare = WarmupShare,
        Decay = Decay,
        MaxGradientNorm = MaxGradientNorm,
        ValidationShare = ValidationShare,
        EarlyStoppingPatience = EarlyStoppingPatience,
        Seed = Seed ?? 0,
        CheckpointFile = CheckpointFile,
        DataParallel = DataParallel,
    };

    /// <summary>A copy that later changes do not reach.</summary>
    internal MoeTrainerOptions Clone() => (MoeTrainerOptions)MemberwiseClone();
}
