using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Rows of features as an ensemble's members, one token each; see <see cref="FeatureEmbedding"/>.</summary>
public sealed class FeatureInput : Input<FeatureRow>
{
    private readonly SlotPlaces _places;
    private readonly IndicatorColumns _indicators;

    internal FeatureInput(FeatureInputConfig config)
    {
        Config = config;
        _places = new SlotPlaces(config);
        _indicators = IndicatorColumns.Of(config, _places);
    }

    /// <summary>Number of slots that a row must have.</summary>
    public int Slots => Config.Slots;

    /// <summary>Number of members.</summary>
    public int Members => Config.Members;

    /// <summary>Names of the slots; null where they have none.</summary>
    public IReadOnlyList<string>? SlotNames => Config.SlotNames;

    /// <inheritdoc/>
    internal override FeatureInputConfig Config { get; }

    /// <inheritdoc/>
    internal override int TokensOf(FeatureRow row) => Config.Members;

    /// <inheritdoc/>
    internal override string TextOf(FeatureRow row, int position) => $"member {position + 1}";

    /// <inheritdoc/>
    internal override Packer<FeatureRow> CreatePacker(Packing packing) =>
        new FeatureBatchPacker(Config, _places, _indicators, packing.KeepsLayouts);

    /// <inheritdoc/>
    internal override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) =>
        new FeatureEmbedding(store, Config, _indicators, encoder);

    /// <inheritdoc/>
    internal override double EmbeddingCost(int width) =>
        (Config.EmbeddedColumns + Config.DirectColumns + (Config.TableSlots.Length > 0 ? width : 0.0)) * width;

    /// <inheritdoc/>
    internal override void AddTo(TrainingDigest digest, IEnumerable<FeatureRow> rows) => digest.AddFeatures(rows);

    /// <summary>How a slot is encoded.</summary>
    internal SlotKind KindOf(int slot) => _places.Of(slot).Kind;
}
