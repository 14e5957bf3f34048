using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>A published model that writes, as the trainer of such models runs it: padding competes for experts where the original lets it.</summary>
internal sealed class GoldenWriter : GoldenTrained
{
    private readonly Model<EncodedText> _model;
    private readonly TrainingConfig _training;
    private readonly Targets _targets = new();

    private GoldenWriter(Model<EncodedText> model, float labelSmoothing) =>
        (_model, _training) = (model, new TrainingConfig { LabelSmoothing = labelSmoothing });

    /// <summary>Opens it.</summary>
    public static GoldenWriter Open(PublishedFolder folder, Engine engine, TensorFiles weights, TensorFiles tensors, float labelSmoothing)
    {
        var config = folder.Encoder with { Dropout = 0f, AttentionDropout = 0f };
        if (config is SwitchTransformersConfig sparse)
            config = sparse with { RouterJitter = 0f, Router = sparse.Router with { MaskPadding = false } };
        var rules = config.CreateRules();
        var input = new PublishedTextInput(PublishedTextInputConfig.Of(config), new LetterIds());
        var settings = new ModelConfig { Input = input.Config, Encoder = config, Head = config.WritingHead! };
        return Load(engine, weights, rules, store => new GoldenWriter(new Model<EncodedText>(engine, settings, input, store), labelSmoothing)
        {
            Store = store,
            Rules = rules,
            Tensors = tensors,
        });
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape tape, int batch, Dictionary<string, double> parts)
    {
        var ids = Integers(batch, "input_ids")!;
        var mask = Integers(batch, "attention_mask");
        var labels = Integers(batch, "labels")!;
        EncodedText[] rows = [.. ids.Select((row, r) =>
        {
            bool[] isToken = [.. row.Select((_, token) => mask is null || mask[r][token] > 0)];
            return Row([.. row.Where((_, token) => isToken[token])], labels[r], isToken);
        })];
        var packed = _model.Input.CreatePacker(_model.Packing(keepsLayouts: true)).Pack(rows);
        var losses = new RouterParts(_model);
        var scores = _model.Forward(tape, packed, losses);
        losses.Tell(tape, parts);
        _targets.Begin(rows.Length);
        foreach (var _ in rows)
            _targets.Add(0f, 1f);
        return _model.Head.Loss(tape, scores, packed, _targets, _training);
    }

    private EncodedText Row(int[] ids, int[] labels, bool[] isToken)
    {
        if (_model.Head is DecoderHead)
            return new EncodedText(new TokenIds(ids) { Targets = labels }, 0, isEmpty: false);
        int[] kept = [.. labels.Where((_, token) => isToken[token])];
        var first = Math.Max(1, Array.FindIndex(kept, label => label != TokenIds.NotCounted));
        Skip.IfNot(kept.AsSpan(first).SequenceEqual(ids.AsSpan(first)), "Its labels are not the tokens after a prompt.");
        return new EncodedText(new TokenIds(ids) { FirstTarget = first }, 0, isEmpty: false);
    }

    /// <summary>What routers add to the loss, without coefficients.</summary>
    private sealed class RouterParts(Model<EncodedText> model) : IRoutingObserver
    {
        private readonly SwitchLosses _ofEncoder = new(null, 1f, 1f, !model.Router.MaskPadding);
        private readonly SwitchLosses _ofDecoder = new(null, 1f, 1f, !model.Router.MaskPadding);
        private readonly LayersBalancing _ofLayers = new();

        public void OnRouted(RoutedLayer layer)
        {
            if (!model.Config.Encoder.BalancesLayersTogether)
                (layer.Block < model.Config.Encoder.Layers ? _ofEncoder : _ofDecoder).OnRouted(layer);
            else
                _ofLayers.OnRouted(layer);
        }

        public void Tell(Tape tape, Dictionary<string, double> parts)
        {
            Add("encoder_aux_loss", _ofEncoder.Balancing(tape));
            Add("decoder_aux_loss", _ofDecoder.Balancing(tape));
            Add("encoder_z_loss", _ofEncoder.Z(tape));
            Add("decoder_z_loss", _ofDecoder.Z(tape));
            Add("aux_loss", _ofLayers.Loss(tape));

            void Add(string name, Tensor? value)
            {
                if (value is not null)
                    parts.Add(name, value.ToArray()[0]);
            }
        }
    }
}
