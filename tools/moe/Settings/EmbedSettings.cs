using System.ComponentModel;
using Microsoft.ML.Moe;
using Spectre.Console.Cli;

namespace MoeTool.Settings;

/// <summary>What commands that embed texts can be told.</summary>
internal abstract class EncoderSettings : CommandSettings
{
    [CommandOption("--encoder <NAME>", isRequired: true)]
    [Description("MiniLM, ArcticXs, a folder of Hugging Face or sentence-transformers, or a model's name in the hub's cache.")]
    public string Encoder { get; init; } = "";

    [CommandOption("--max-tokens <NUMBER>")]
    [TypeConverter(typeof(WholeNumber))]
    [Description("Cut longer texts. Default: the encoder's own limit.")]
    public int? MaxTokens { get; init; }

    [CommandOption("--device <DEVICE>")]
    [TypeConverter(typeof(NameConverter<MoeDevice>))]
    [Description("automatic, cpu, cpu-lib-torch or gpu.")]
    [DefaultValue(MoeDevice.Automatic)]
    public MoeDevice Device { get; init; }

    [CommandOption("--text <COLUMN>")]
    [Description("Column with the text.")]
    [DefaultValue("Text")]
    public string Text { get; init; } = "Text";

    /// <summary>The encoder that is meant.</summary>
    /// <exception cref="UserException">There is none of this name or path.</exception>
    public PublishedEncoder Published => Encoders.Named(Encoder);

    /// <summary>How texts are embedded.</summary>
    /// <param name="promptName">Name of the prompt; null for the encoder's default.</param>
    /// <param name="prompt">The prompt itself; null for the named one.</param>
    public EmbedTextOptions ToOptions(string? promptName, string? prompt = null) => new()
    {
        PromptName = promptName,
        Prompt = prompt,
        MaximumTokens = MaxTokens,
        Device = Device,
    };
}

/// <summary>What <c>embed</c> can be told.</summary>
internal sealed class EmbedSettings : EncoderSettings
{
    [CommandOption("--in <FILE>", isRequired: true)]
    [Description("Table with the texts.")]
    public string In { get; init; } = "";

    [CommandOption("--out <FILE>", isRequired: true)]
    [Description("Where embeddings go: a .safetensors file with the tensor 'embeddings', or else tab-separated, text and numbers.")]
    public string Out { get; init; } = "";

    [CommandOption("--prompt-name <NAME>")]
    [Description("One of the encoder's prompts: query, document and perhaps others. Default: the encoder's own.")]
    public string? PromptName { get; init; }

    [CommandOption("--prompt <TEXT>")]
    [Description("Put this before each text, as it is.")]
    public string? Prompt { get; init; }
}

/// <summary>Tasks of <c>evaluate-embeddings</c>.</summary>
internal enum EmbeddingTask
{
    /// <summary>Logistic regression on few rows.</summary>
    Classification,

    /// <summary>k-means.</summary>
    Clustering,

    /// <summary>Similarity of pairs against people's scores.</summary>
    Sts,

    /// <summary>Whether pairs belong together.</summary>
    Pairs,

    /// <summary>Each query's own candidates.</summary>
    Reranking,

    /// <summary>All documents for each query.</summary>
    Retrieval,

    /// <summary>Machines' summaries against people's.</summary>
    Summarisation,
}

/// <summary>What <c>evaluate-embeddings</c> can be told.</summary>
internal sealed class EvaluateEmbeddingsSettings : EncoderSettings
{
    [CommandOption("--task <TASK>", isRequired: true)]
    [TypeConverter(typeof(NameConverter<EmbeddingTask>))]
    [Description("classification, clustering, sts, pairs, reranking, retrieval or summarisation.")]
    public EmbeddingTask Task { get; init; }

    [CommandOption("--data <FILE>", isRequired: true)]
    [Description("Rows to score: texts, pairs, candidates, judgments, or machines' summaries.")]
    public string Data { get; init; } = "";

    [CommandOption("--train <FILE>")]
    [Description("classification: rows to draw training rows from.")]
    public string? Train { get; init; }

    [CommandOption("--queries <FILE>")]
    [Description("reranking, retrieval: queries.")]
    public string? Queries { get; init; }

    [CommandOption("--documents <FILE>")]
    [Description("retrieval: documents.")]
    public string? Documents { get; init; }

    [CommandOption("--human <FILE>")]
    [Description("summarisation: summaries that people wrote.")]
    public string? Human { get; init; }

    [CommandOption("--label <COLUMN>")]
    [Description("Column with the label, score or relevance.")]
    [DefaultValue("Label")]
    public string Label { get; init; } = "Label";

    [CommandOption("--text2 <COLUMN>")]
    [Description("sts, pairs: column with the second text.")]
    [DefaultValue("Text2")]
    public string Text2 { get; init; } = "Text2";

    [CommandOption("--query-id <COLUMN>")]
    [Description("reranking, retrieval: column with the query's id.")]
    [DefaultValue("QueryId")]
    public string QueryId { get; init; } = "QueryId";

    [CommandOption("--document-id <COLUMN>")]
    [Description("retrieval: column with the document's id.")]
    [DefaultValue("DocumentId")]
    public string DocumentId { get; init; } = "DocumentId";

    [CommandOption("--text-id <COLUMN>")]
    [Description("summarisation: column with the id of the text that is summed up.")]
    [DefaultValue("TextId")]
    public string TextId { get; init; } = "TextId";

    [CommandOption("--set <COLUMN>")]
    [Description("clustering: column that tells which set a row is of, each clustered by itself.")]
    public string? Set { get; init; }
}
