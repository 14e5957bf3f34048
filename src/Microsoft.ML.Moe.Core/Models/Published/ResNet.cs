using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// ResNet (He et al. 2016, "Deep residual learning for image recognition"), as Hugging Face publishes it:
/// <code>
/// x = maxPool(relu(norm(conv(x))))                 7×7 with stride 2, then 3×3 with stride 2
/// x = relu(x + norm(conv(relu(norm(conv(x))))))    basic: 3×3, 3×3
/// x = relu(x + norm(conv(relu(norm(conv(relu(norm(conv(x)))))))))      bottleneck: 1×1 to a quarter of the channels, 3×3, 1×1
/// </code>
/// The blocks stand in stages; the first of a stage halves the resolution, but for that of the first stage, and where it changes x's shape x goes
/// through norm(conv(x)), 1×1. Norms are of the batch. A token is a pixel of the last stage; those that a classifier reads are their mean. What
/// comes before the last stage's second block makes the tokens, the blocks from there on are the encoder's.
/// </summary>
internal sealed record ResNetConfig : VisionConfig
{
    private const int MostStages = 6;
    private const int MostBlocks = 128;
    private const int FirstSide = 7;
    private const int Reduction = 4;

    /// <summary>Results of each convolution: its own, the norm's, and the activation's or the sum's.</summary>
    private const int ResultsOfConvolution = 3;

    /// <inheritdoc/>
    internal override string Architecture => "ResNet";

    /// <summary>Channels before the first stage. Within [1, 32768].</summary>
    public required int EmbeddingWidth { get; init => field = OptionCheck.Range(value, 1, Most.Width, nameof(EmbeddingWidth)); }

    /// <summary>Channels of each stage, of one to six; the last's are the width of tokens.</summary>
    public required int[] StageWidths { get; init => field = Checked(value, Most.Width, nameof(StageWidths)); }

    /// <summary>Blocks of each stage, within [1, 128], of the last at least two.</summary>
    public required int[] Depths { get; init => field = Checked(value, MostBlocks, nameof(Depths)); }

    /// <summary>Whether blocks have three convolutions, the middle one of a quarter of the channels; else two.</summary>
    public bool IsBottleneck { get; init; }

    /// <summary>Whether the first stage halves the resolution too. Default false.</summary>
    public bool DownsamplesFirstStage { get; init; }

    /// <summary>Whether the first convolution of a bottleneck halves the resolution, not the second. Default false.</summary>
    public bool DownsamplesFirst { get; init; }

    /// <inheritdoc/>
    internal override int SpecialTokens => 0;

    /// <inheritdoc/>
    [JsonIgnore]
    internal override int EmbeddingLayers => 1 + Depths.Sum() - Layers;

    /// <inheritdoc/>
    [JsonIgnore]
    internal override bool HeadsDivideWidth => false;

    /// <inheritdoc/>
    [JsonIgnore]
    internal override (int Queries, int KeysAndValues) AttentionWidths => (0, 0);

    /// <inheritdoc/>
    [JsonIgnore]
    internal override double DenseCost => Blocks().Last().Convolutions.Sum(c => c.MultiplyAddsOfPixel);

    /// <inheritdoc/>
    [JsonIgnore]
    internal override double CostOfLayer => DenseCost;

    /// <inheritdoc/>
    [JsonIgnore]
    internal override ConvolutionCost Convolutions
    {
        get
        {
            ImageConvolution[] all = [First, .. Blocks().Take(EmbeddingLayers - 1).SelectMany(block => block.All)];
            var results = all.Sum(c => (double)ResultsOfConvolution * c.Pixels * c.Outputs);
            return new ConvolutionCost(
                all.Sum(c => c.MultiplyAddsOfPixel * c.Pixels), (int)Math.Clamp(results / (StemConfig.ResultsOfToken * Width), 1, int.MaxValue / 2));
        }
    }

    /// <summary>The convolution before the first stage.</summary>
    [JsonIgnore]
    internal ImageConvolution First => new(
        "embedding.layers.0.convolutions.0", "embedder.embedder", Channels, EmbeddingWidth, new ConvolutionSpec(ImageHeight, ImageWidth, FirstSide, stride: 2));

    /// <summary>What pools its results.</summary>
    [JsonIgnore]
    internal ConvolutionSpec Pool => new(First.Spec.ResultHeight, First.Spec.ResultWidth, stride: 2);

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static ResNetConfig Read(PublishedSettings json)
    {
        int[] widths = json.Has("hidden_sizes") ? [.. json.Ints("hidden_sizes")] : [256, 512, 1024, 2048];
        int[] depths = json.Has("depths") ? [.. json.Ints("depths")] : [3, 4, 6, 3];
        if (widths.Length is 0 or > MostStages || widths.Length != depths.Length)
            throw json.Refused($"hidden_sizes has {widths.Length} stages and depths {depths.Length}; both have the same number, of 1 to {MostStages}");
        if (depths[^1] < 2)
            throw json.Refused($"the last stage has {depths[^1]} blocks (depths); 2 are needed, the first to make tokens and the others to be trained");
        var type = json.Text("layer_type", "bottleneck");
        if (type is not ("basic" or "bottleneck"))
            throw json.Refused($"layer_type '{type}' is not supported: only 'basic' and 'bottleneck' are");
        var (height, width) = json.PairOf("image_size", 224);
        var downsamplesFirstStage = json.Flag("downsample_in_first_stage");
        return new ResNetConfig
        {
            VocabularySize = 0,
            Positions = PatchGrid.MaximumPatches,
            ImageWidth = width,
            ImageHeight = height,
            PatchSize = SideOf(widths.Length, downsamplesFirstStage),
            Channels = json.Int("num_channels", 3),
            EmbeddingWidth = json.Int("embedding_size", 64),
            StageWidths = widths,
            Depths = depths,
            Width = widths[^1],
            Layers = depths[^1] - 1,
            IsBottleneck = type == "bottleneck",
            DownsamplesFirstStage = downsamplesFirstStage,
            DownsamplesFirst = json.Flag("downsample_in_bottleneck"),
            Activation = json.Activation("hidden_act", "relu"),
            NormEpsilon = 1e-5f,
            Dropout = 0f,
            AttentionDropout = 0f,
        };
    }

    /// <inheritdoc/>
    internal override VisionConfig Reading(int width, int height) => this with { ImageWidth = width, ImageHeight = height };

    /// <inheritdoc/>
    internal override TokenEmbedding CreateEmbedding(ParameterStore store, PatchGrid grid) => new ResNetEmbedding(store, this);

    /// <inheritdoc/>
    internal override Encoder CreateEncoder(ParameterStore store) =>
        new([.. Blocks().Skip(EmbeddingLayers - 1).Select(block => new ResidualBlock(store, block, this))]);

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        var rules = new WeightRules(Architecture).Prefixes("", "resnet.");
        foreach (var convolution in Blocks().SelectMany(block => block.All).Prepend(First))
        {
            var (norm, source) = (convolution.Name + ".norm.", convolution.Source + ".normalization.");
            rules
                .Kernel(convolution.Name + ".weight", convolution.Source + ".convolution.weight", convolution.Spec.Side)
                .Copy(norm + "gain", source + "weight")
                .Copy(norm + "bias", source + "bias")
                .Copy(norm + "mean", source + "running_mean")
                .Copy(norm + "variance", source + "running_var");
        }

        return rules.Ignore("*.num_batches_tracked", "classifier.*");
    }

    /// <summary>The blocks of all stages: those that make tokens, and then those of the encoder.</summary>
    internal IEnumerable<ResNetBlock> Blocks()
    {
        var (inputs, height, width) = (EmbeddingWidth, Pool.ResultHeight, Pool.ResultWidth);
        var number = 1;
        for (var stage = 0; stage < StageWidths.Length; stage++)
        {
            for (var layer = 0; layer < Depths[stage]; layer++)
            {
                var name = number < EmbeddingLayers ? $"embedding.layers.{number}" : $"layers.{number - EmbeddingLayers}";
                var block = BlockOf(name, $"encoder.stages.{stage}.layers.{layer}", inputs, StageWidths[stage], new ConvolutionSpec(
                    height, width, side: 1, stride: layer == 0 && (stage > 0 || DownsamplesFirstStage) ? 2 : 1));
                yield return block;
                (inputs, height, width) = (StageWidths[stage], block.All[^1].Spec.ResultHeight, block.All[^1].Spec.ResultWidth);
                number++;
            }
        }
    }

    /// <inheritdoc/>
    private protected override void CheckParts()
    {
        if (StageWidths.Length != Depths.Length || StageWidths[^1] != Width || Depths[^1] - 1 != Layers || Layers < 1)
            throw new ArgumentException($"{nameof(StageWidths)} and {nameof(Depths)} are not those of an encoder {Width} wide of {Layers} blocks.", nameof(Depths));
        if (PatchSize != SideOf(StageWidths.Length, DownsamplesFirstStage))
            throw new ArgumentException($"{StageWidths.Length} stages have no tokens of {PatchSize} pixels a side.", nameof(PatchSize));
        if (IsBottleneck && Array.Exists(StageWidths, width => width < Reduction))
            throw new ArgumentException($"A bottleneck has a quarter of the channels of its stage, which has {Reduction} at least.", nameof(StageWidths));
        if (MoeLayers > 0)
            throw new ArgumentException($"{Architecture} consists of convolutions, and has no MoE layers.", nameof(MoeEvery));
    }

    private static int SideOf(int stages, bool downsamplesFirstStage) => (downsamplesFirstStage ? 4 : 2) << stages;

    private static int[] Checked(int[] values, int most, string name)
    {
        OptionCheck.Range(values?.Length ?? 0, 1, MostStages, name);
        foreach (var value in values!)
            OptionCheck.Range(value, 1, most, name);
        return values;
    }

    private ResNetBlock BlockOf(string name, string source, int inputs, int outputs, ConvolutionSpec entry)
    {
        var middle = outputs / Reduction;
        (int Outputs, int Side, int Stride)[] convolutions = IsBottleneck
            ? [(middle, 1, DownsamplesFirst ? entry.Stride : 1), (middle, 3, DownsamplesFirst ? 1 : entry.Stride), (outputs, 1, 1)]
            : [(outputs, 3, entry.Stride), (outputs, 3, 1)];
        var made = new List<ImageConvolution>();
        var (channels, height, width) = (inputs, entry.Height, entry.Width);
        foreach (var (of, side, stride) in convolutions)
        {
            var spec = new ConvolutionSpec(height, width, side, stride);
            made.Add(new($"{name}.convolutions.{made.Count}", $"{source}.layer.{made.Count}", channels, of, spec));
            (channels, height, width) = (of, spec.ResultHeight, spec.ResultWidth);
        }

        var changes = inputs != outputs || entry.Stride != 1;
        return new ResNetBlock(made, changes ? new(name + ".shortcut", source + ".shortcut", inputs, outputs, entry) : null);
    }
}

/// <summary>A residual block.</summary>
/// <param name="Convolutions">Its convolutions.</param>
/// <param name="Shortcut">What its input goes through before it is added; null for nothing.</param>
internal sealed record ResNetBlock(IReadOnlyList<ImageConvolution> Convolutions, ImageConvolution? Shortcut)
{
    /// <summary>All of its convolutions; the last gives what the block gives.</summary>
    public IReadOnlyList<ImageConvolution> All { get; } = Shortcut is null ? Convolutions : [Shortcut, .. Convolutions];
}

/// <summary>A convolution without bias, with a norm behind it.</summary>
/// <param name="Name">What the names of its parameters begin with.</param>
/// <param name="Source">What those of its published tensors begin with.</param>
/// <param name="Inputs">Channels that it reads.</param>
/// <param name="Outputs">Channels that it gives.</param>
/// <param name="Spec">Size of the images, window and stride.</param>
internal sealed record ImageConvolution(string Name, string Source, int Inputs, int Outputs, ConvolutionSpec Spec)
{
    /// <summary>Pixels of what it gives.</summary>
    public double Pixels => (double)Spec.ResultHeight * Spec.ResultWidth;

    /// <summary>Values of a window.</summary>
    public int WindowValues => Spec.Side * Spec.Side * Inputs;

    /// <summary>Multiply-adds of each of its pixels.</summary>
    public double MultiplyAddsOfPixel => (double)WindowValues * Outputs;
}
