using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models;

/// <summary>A model of features with some of its members alone.</summary>
internal static class MemberChoice
{
    private const string Factors = "members.factors";

    /// <summary>Makes the model, with weights of its own on the same engine.</summary>
    /// <param name="model">The model.</param>
    /// <param name="members">Numbers of the members to keep, from 0, each once.</param>
    /// <exception cref="ArgumentException">There are none, or one is not there or named twice.</exception>
    public static Model<FeatureRow> Keep(Model<FeatureRow> model, IReadOnlyList<int> members)
    {
        var input = (FeatureInputConfig)model.Config.Input;
        var all = input.Members;
        if (members.Count == 0 || members.Distinct().Count() != members.Count || members.Any(member => member < 0 || member >= all))
            throw new ArgumentException(
                $"The model has the members 0 to {all - 1}; those to keep are {(members.Count == 0 ? "none" : string.Join(", ", members))}.",
                nameof(members));
        var known = model.Parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value);
        input = input with { Members = members.Count };
        var config = model.Config with
        {
            Input = input,
            Head = model.Config.Head switch
            {
                MemberClassesHeadConfig classes => classes with { Members = members.Count },
                BinaryHeadConfig binary => binary with { Members = members.Count },
                ValueHeadConfig value => value with { Members = members.Count },
                var other => other,
            },
        };
        var store = new ParameterStore(model.Engine, (name, _) =>
        {
            var values = known[name].ToArray();
            return name == Factors || ClassifierHead.IsOfClasses(name) ? Parts(values, all, members) : values;
        });
        return new Model<FeatureRow>(
            model.Engine, config, new FeatureInput(input), store, model.Branch?.Follow(network => Keep(network, members)));
    }

    /// <summary>Of as many equal parts as there are members those that are kept, in their order.</summary>
    private static float[] Parts(float[] values, int all, IReadOnlyList<int> members)
    {
        var size = values.Length / all;
        return [.. members.SelectMany(member => values.AsSpan(member * size, size).ToArray())];
    }
}
