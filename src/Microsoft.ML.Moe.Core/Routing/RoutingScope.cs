namespace Microsoft.ML.Moe.Routing;

/// <summary>Which tokens compete with each other for experts, where a policy looks beyond single tokens.</summary>
public enum RoutingScope
{
    /// <summary>
    /// The tokens of one sequence. A row's result depends on no other row; a later token can take an earlier one's expert, so this
    /// is not causal. The default for classifiers.
    /// </summary>
    Sequence,

    /// <summary>Tokens at the same position of all sequences. Causal in time, but a row's result depends on its batch mates.</summary>
    TimeStep,

    /// <summary>All tokens of the batch.</summary>
    Batch,
}
