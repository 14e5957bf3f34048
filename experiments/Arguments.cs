namespace Microsoft.ML.Moe.Experiments;

/// <summary>What the command line asks for.</summary>
/// <param name="Studies">Names of the studies, in the order in which they run.</param>
/// <param name="Data">Folder with the data sets.</param>
/// <param name="Output">Folder for results and tables.</param>
/// <param name="Seeds">Seeds of the training runs.</param>
internal sealed record Arguments(IReadOnlyList<string> Studies, string Data, string Output, IReadOnlyList<int> Seeds)
{
    /// <summary>Worker threads of all runs together.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Runs that are trained at the same time; they share the threads evenly.</summary>
    public int Parallel { get; init; } = 1;

    /// <summary>Passes over the training rows instead of those that a study prescribes.</summary>
    public int? Epochs { get; init; }

    /// <summary>Rows of each table at most, for trying the program out; null takes all.</summary>
    public int? Rows { get; init; }

    /// <summary>
    /// Sets of the study <c>linear</c>, <c>images</c>, <c>image-stems</c> or <c>image-encoder</c>, in the order in which they run; null takes all.
    /// </summary>
    public IReadOnlyList<string>? Sets { get; init; }

    /// <summary>Arms of studies whose runs are made; null makes all.</summary>
    public IReadOnlyList<string>? Arms { get; init; }

    /// <summary>Published encoder that the study <c>linear</c> begins with: <c>minilm</c> or a folder; null for none.</summary>
    public string? Encoder { get; init; }

    /// <summary>Steps of a pretraining, or of tuning what it made, instead of those that it prescribes.</summary>
    public int? Steps { get; init; }

    /// <summary>Folder of the pretrained model that writes, of the studies that need one; null for none.</summary>
    public string? Model { get; init; }

    /// <summary>Pieces and scores that SentencePiece's <c>spm_train</c> has written, for language models; null for bytes.</summary>
    public string? Vocabulary { get; init; }

    /// <summary>Whether nothing is trained and the tables of the finished runs are written.</summary>
    public bool ReportOnly { get; init; }
}
