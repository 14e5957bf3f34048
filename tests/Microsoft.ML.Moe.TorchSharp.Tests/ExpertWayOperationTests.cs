using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>
/// The operations with one way to run experts, whatever it costs. The grouped product asks for sizes that these tests do not have; see
/// <see cref="ExpertWayTests"/>.
/// </summary>
public abstract class ExpertWayOperationTests : OperationTests
{
    private readonly ExpertWay _way;

    private protected ExpertWayOperationTests(ExpertWay way) => _way = way;

    protected override Engine CreateEngine()
    {
        var engine = TestDevice.CreateEngine();
        engine.ExpertWay = _way;
        return engine;
    }
}

/// <summary>One product an expert.</summary>
public sealed class OneByOneOperationTests() : ExpertWayOperationTests(ExpertWay.OneByOne);

/// <summary>Experts filled to the busiest.</summary>
public sealed class PaddedToBusiestOperationTests() : ExpertWayOperationTests(ExpertWay.PaddedToBusiest);

/// <summary>Experts with a row for every token.</summary>
public sealed class PaddedToTokensOperationTests() : ExpertWayOperationTests(ExpertWay.PaddedToTokens);

/// <summary>Weights copied for every pair.</summary>
public sealed class GatheredOperationTests() : ExpertWayOperationTests(ExpertWay.Gathered);
