using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Compares the weights of a folder that was written with those of the one that was read.</summary>
internal static class SavedTensors
{
    /// <summary>Both hold tensors of the same names, shapes and values.</summary>
    /// <param name="original">The folder that was read.</param>
    /// <param name="saved">The folder that was written.</param>
    /// <param name="mayLack">What names begin with of tensors that need not be in it; null for none.</param>
    public static void AreThoseOf(string original, string saved, string? mayLack = null)
    {
        using var expected = TensorFiles.Open(original);
        using var actual = TensorFiles.Open(saved);
        Assert.Equal(
            expected.Tensors.Keys.Where(name => mayLack is null || !name.StartsWith(mayLack, StringComparison.Ordinal)).Order(),
            actual.Tensors.Keys.Order());
        foreach (var tensor in actual.Tensors.Values)
        {
            Assert.Equal(expected.Tensors[tensor.Name].Shape, tensor.Shape);
            var (values, own) = (new float[tensor.Elements], new float[tensor.Elements]);
            expected.Read(expected.Tensors[tensor.Name], 0, values);
            actual.Read(tensor, 0, own);
            Assert.Equal(values, own);
        }
    }
}
