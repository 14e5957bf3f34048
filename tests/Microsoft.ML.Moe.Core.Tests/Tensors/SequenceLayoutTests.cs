using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public class SequenceLayoutTests
{
    [Fact]
    public void IsResetToOneLayoutAfterTheOther()
    {
        var layout = new SequenceLayout();
        layout.Reset([2, 5, 0], padded: 4);
        AssertIs(layout, [0, 4, 9, 13], [true, true, false, false, true, true, true, true, true, false, false, false, false], 5);

        layout.Reset([1, 3], padded: 0);
        AssertIs(layout, [0, 1, 4], [], 3);

        layout.Reset([3, 1], padded: 3);
        AssertIs(layout, [0, 3, 6], [true, true, true, true, false, false], 3);

        layout.Reset([], padded: 0);
        AssertIs(layout, [0], [], 0);
    }

    [Fact]
    public void PartIsALayoutOfItsOwn()
    {
        var layout = new SequenceLayout([0, 2, 5, 6, 9], [true, false, true, true, false, true, true, true, true]);
        var part = new SequenceLayout([0, 7], null);
        AssertIs(layout.Part(1, 2, part), [0, 3, 4], [true, true, false, true], 3);
        AssertIs(layout.Part(3, 1, part), [0, 3], [true, true, true], 3);
        AssertIs(new SequenceLayout([0, 2, 5]).Part(0, 2, part), [0, 2, 5], [], 3);
    }

    private static void AssertIs(SequenceLayout layout, int[] offsets, bool[] mask, int longest)
    {
        Assert.Equal(offsets, layout.Offsets);
        Assert.Equal(mask, layout.Mask);
        Assert.Equal((offsets.Length - 1, offsets[^1], longest), (layout.Sequences, layout.Tokens, layout.MaxLength));
        Assert.All(mask.Index(), row => Assert.Equal(row.Item, layout.IsToken(row.Index)));
    }
}
