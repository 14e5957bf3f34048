using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class VBufferTests
{
    private static readonly VBuffer<float> Sparse = new(6, 2, [1f, 2f], [1, 4]);

    [Fact]
    public void SparseAndDenseHoldTheSame()
    {
        Assert.False(Sparse.IsDense);
        Assert.Equal([0f, 1, 0, 0, 2, 0], Sparse.DenseValues());
        Assert.Equal([1, 4], Sparse.GetIndices().ToArray());
        Assert.Equal([1f, 2], Sparse.GetValues().ToArray());
        Assert.Equal(2f, Sparse.GetItemOrDefault(4));
        Assert.Equal(0f, Sparse.GetItemOrDefault(5));
        Assert.Equal([(1, 1f), (4, 2f)], Sparse.Items().Select(i => (i.Key, i.Value)));
        Assert.Equal(6, Sparse.Items(all: true).Count());

        VBuffer<float> dense = default;
        Sparse.CopyToDense(ref dense);
        Assert.True(dense.IsDense);
        Assert.Equal([0f, 1, 0, 0, 2, 0], dense.GetValues().ToArray());
        Assert.Equal(0, dense.GetIndices().Length);
    }

    [Fact]
    public void CopiesRanges()
    {
        VBuffer<float> copy = default;
        Sparse.CopyTo(ref copy, 1, 4);
        Assert.Equal([1f, 0, 0, 2], copy.DenseValues());
        VBuffer<float>.Copy([5f, 6, 7], 1, ref copy, 2);
        Assert.Equal([6f, 7], copy.DenseValues());
        var target = new[] { 9f, 9, 9, 9, 9, 9, 9 };
        Sparse.CopyTo(target, 1, -1f);
        Assert.Equal([9f, -1, 1, -1, -1, 2, -1], target);
        Assert.ThrowsAny<ArgumentException>(() => Sparse.CopyTo(new float[3]));
    }

    [Fact]
    public void EditorReusesArraysAndGrowsThem()
    {
        VBuffer<float> buffer = default;
        var editor = VBufferEditor.Create(ref buffer, 3);
        Assert.True(editor.CreatedNewValues);
        editor.Values[0] = 1;
        editor.Values[2] = 3;
        buffer = editor.Commit();
        Assert.Equal([1f, 0, 3], buffer.DenseValues());

        var again = VBufferEditor.Create(ref buffer, 2);
        Assert.False(again.CreatedNewValues);
        Assert.Equal(1f, again.Values[0]);

        var sparse = VBufferEditor.Create(ref buffer, 10, 2);
        sparse.Values[0] = 7;
        sparse.Values[1] = 8;
        sparse.Indices[0] = 0;
        sparse.Indices[1] = 9;
        Assert.Equal([7f, 0, 0, 0, 0, 0, 0, 0, 0, 8], sparse.Commit().DenseValues());
        Assert.Equal([7f, 0, 0, 0, 0, 0, 0, 0, 0, 0], sparse.CommitTruncated(1).DenseValues());
    }

    [Fact]
    public void RejectsImpossibleParts()
    {
        Assert.ThrowsAny<ArgumentException>(() => new VBuffer<float>(3, [1f, 2f]));
        Assert.ThrowsAny<ArgumentException>(() => new VBuffer<float>(3, 2, [1f, 2f], [0]));
        Assert.ThrowsAny<ArgumentException>(() => Sparse.GetItemOrDefault(6));
        Assert.Equal(0, default(VBuffer<float>).Length);
        Assert.True(default(VBuffer<float>).IsDense);
    }
}
