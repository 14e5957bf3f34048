using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>Puts several models in a row, and their average behind them, as a chain of ML.NET's own transforms and one of this library.</summary>
internal static class Ensemble
{
    private const string Prefix = "Moe.Average.";

    /// <summary>Makes the chain.</summary>
    /// <param name="environment">Where it lives.</param>
    /// <param name="ml">Makes ML.NET's transforms.</param>
    /// <param name="task">What is averaged.</param>
    /// <param name="members">The models, the best last: columns that are not averaged are its own.</param>
    /// <param name="schema">Schema of what they read.</param>
    public static TransformerChain<ITransformer> Of(
        IHostEnvironment environment, MLContext ml, SweepTask task, IReadOnlyList<ITransformer> members, DataViewSchema schema)
    {
        // what a model overwrites of what it reads, such as a label that becomes a key, the next one finds as it was
        string[] overwritten = [.. members.SelectMany(member => Overwritten(member, schema)).Distinct().Order(StringComparer.Ordinal)];
        string[] scores = [.. members.Select((_, number) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}"))];
        var steps = new List<ITransformer>();
        var rows = (IDataView)new EmptyDataView(environment, schema);
        foreach (var name in overwritten)
            Fit(ml.Transforms.CopyColumns(Prefix + name, name));
        for (var number = 0; number < members.Count; number++)
        {
            if (number > 0)
                foreach (var name in overwritten)
                    Fit(ml.Transforms.CopyColumns(name, Prefix + name));
            Add(members[number]);
            Fit(ml.Transforms.CopyColumns(scores[number], task.Scored));
        }

        Add(new MoeAverageTransformer(environment, task.Average(scores)));
        Fit(ml.Transforms.DropColumns([.. scores, .. overwritten.Select(name => Prefix + name)]));
        return new TransformerChain<ITransformer>([.. steps]);

        void Fit(IEstimator<ITransformer> step) => Add(step.Fit(rows));

        void Add(ITransformer step)
        {
            steps.Add(step);
            rows = step.Transform(rows);
        }
    }

    private static IEnumerable<string> Overwritten(ITransformer member, DataViewSchema schema)
    {
        var output = member.GetOutputSchema(schema);
        return schema.Where(column => !column.IsHidden && output.GetColumnOrNull(column.Name)?.Index != column.Index).Select(column => column.Name);
    }
}
