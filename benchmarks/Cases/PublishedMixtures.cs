using Microsoft.ML.Moe.Benchmarks.References;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>The published mixture that decoding and reading of prompts are measured with.</summary>
internal static class PublishedMixtures
{
    private static readonly Lazy<RandomCheckpoint> Written = new(RandomCheckpoint.Granite);

    /// <summary>About 1 B parameters in bfloat16; written when it is asked for first.</summary>
    public static RandomCheckpoint Granite => Written.Value;

    /// <summary>Weights that a token is multiplied with: all but those of experts that it does not go to, and of a table where it is looked up.</summary>
    public static double ActiveWeights(Model<EncodedText> model) => ActiveOf(model, _ => 1);

    /// <summary>Bytes of these weights.</summary>
    public static double ActiveBytes(Model<EncodedText> model) => ActiveOf(model, parameter => parameter.Value.ElementType switch
    {
        ElementType.Int8 => 1,
        ElementType.BFloat16 => 2,
        _ => 4,
    });

    /// <summary>Ids that any text could have.</summary>
    public static int[] Ids(int count, int vocabularySize)
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(1000, vocabularySize - 1000))];
    }

    private static double ActiveOf(Model<EncodedText> model, Func<Parameter, double> weigh)
    {
        var config = (PublishedConfig)model.Config.Encoder;
        var sum = 0.0;
        foreach (var parameter in model.Parameters.All.Select(p => p.Parameter).Where(p => p.Value.Rank >= 2))
        {
            var share = parameter.Value.Rank == 3 ? config.Router.ExpertsPerToken / parameter.Value.Shape[0] : 1;
            if (parameter.Name != TokenIdEmbedding.WordsName || config.TiesDecoder)
                sum += share * parameter.Value.Length * weigh(parameter);
        }

        return sum;
    }
}
