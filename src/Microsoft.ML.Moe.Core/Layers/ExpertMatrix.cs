using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>The stacked matrices of experts, [E, I, O], perhaps with an adapter for each.</summary>
internal sealed class ExpertMatrix
{
    /// <summary>Makes the parameter.</summary>
    /// <param name="store">Makes it.</param>
    /// <param name="name">Its name.</param>
    /// <param name="deviation">Standard deviation of random values.</param>
    /// <param name="experts">E.</param>
    /// <param name="inputs">I.</param>
    /// <param name="outputs">O.</param>
    public ExpertMatrix(ParameterStore store, string name, float deviation, int experts, int inputs, int outputs)
    {
        WeightEIO = store.Normal(name, ParameterRole.Weight, deviation, experts, inputs, outputs);
        WeightEIO.IsStackOfExperts = true;
        Adapter = store.AdapterOf(WeightEIO);
    }

    /// <summary>The matrices.</summary>
    public Parameter WeightEIO { get; }

    /// <summary>What is added to their products; null for nothing.</summary>
    public Adapter? Adapter { get; }

    /// <summary>Each pair's token times its expert's matrix, [T, I] → [P, O].</summary>
    public Tensor Forward(Tape tape, Tensor xTI, RoutingPlan plan)
    {
        var yPO = tape.ExpertLinear(xTI, WeightEIO, plan);
        return Adapter is null ? yPO : Adapter.AddToPairs(tape, yPO, xTI, plan);
    }
}
