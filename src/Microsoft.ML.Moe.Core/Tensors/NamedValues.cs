namespace Microsoft.ML.Moe.Tensors;

/// <summary>Numbers under a name, as files hold them.</summary>
/// <param name="Name">Unique within a file.</param>
/// <param name="Shape">Sizes of the dimensions, outermost first.</param>
/// <param name="Values">As many as the shape asks for, row-major.</param>
public sealed record NamedValues(string Name, int[] Shape, float[] Values)
{
    /// <summary>A parameter's values as they are now.</summary>
    /// <param name="parameter">The parameter.</param>
    public static NamedValues Of(Parameter parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        return new NamedValues(parameter.Name, parameter.Value.Shape.ToArray(), parameter.Value.ToArray());
    }
}
