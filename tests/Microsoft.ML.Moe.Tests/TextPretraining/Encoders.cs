using Microsoft.ML.Moe.Routing;
namespace Microsoft.ML.Moe.Tests.TextPretraining;

/// <summary>Tiny encoders, pretrained in a fraction of a second.</summary>
internal static class Encoders
{
    /// <summary>Options of a tiny encoder, of the shape of the tiny classifiers.</summary>
    public static MoeTextPretrainer.Options Options(Action<MoeTextPretrainer.Options>? change = null)
    {
        var options = new MoeTextPretrainer.Options
        {
            InputColumnName = nameof(Row.Text),
            Width = 16,
            Heads = 2,
            Layers = 1,
            Experts = 2,
            Router = Router.TokenChoice(1),
            ExpertWidth = 16,
            HashBits = 10,
            MaximumTokens = 32,
            MaxEpochs = 4,
            BatchSize = 16,
            ValidationShare = 0.2f,
        };
        change?.Invoke(options);
        return options;
    }

    /// <summary>The estimator of a tiny encoder.</summary>
    public static MoeTextPretrainer Pretrainer(MLContext ml, Action<MoeTextPretrainer.Options>? change = null) =>
        ml.Transforms.Text.PretrainMoeEncoder(Options(change));

    /// <summary>Pretrains the tiny encoder on the texts of <see cref="Tables"/>.</summary>
    public static MoeTextEncoderTransformer Fit(
        MLContext ml, Action<MoeTextPretrainer.Options>? change = null, IEnumerable<Row>? rows = null) =>
        Pretrainer(ml, change).Fit(ml.Data.LoadFromEnumerable(rows ?? Tables.Rows()));
}
