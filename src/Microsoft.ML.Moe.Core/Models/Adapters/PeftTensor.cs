using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Adapters;

/// <summary>
/// One of the two matrices of an adapter as peft stores it, A [rank, inputs] or B [outputs, rank], and where its numbers are among this
/// library's parameters, which have the transposes, those of all experts in one. Where the model has the matrices of all experts in one tensor,
/// peft has all their adapters in one: A [E·rank, inputs], an expert's rows together, and B [outputs, rank·E], an expert's columns E apart.
/// </summary>
internal sealed class PeftTensor
{
    private const string Prefix = "base_model.model.";
    private readonly List<Run> _runs = [];

    private PeftTensor(string name, int rows, int columns) => (Name, Shape) = (name, [rows, columns]);

    /// <summary>Name of the tensor in peft's file.</summary>
    public string Name { get; }

    /// <summary>Its shape.</summary>
    public int[] Shape { get; }

    /// <summary>The tensors of a model's adapters, in the order of their names.</summary>
    public static IReadOnlyList<PeftTensor> Of(IReadOnlyList<AdaptedParameter> adapted)
    {
        var stacks = adapted.SelectMany(a => a.Matrices).Where(m => m.IsStack).Select(m => m.Tensors[0]).Distinct().ToList();
        var tensors = new Dictionary<string, PeftTensor>();
        foreach (var (_, adapter, matrices) in adapted)
        {
            foreach (var (part, matrix) in adapter.Parts.Zip(matrices))
            {
                for (var expert = 0; expert < Math.Max(1, matrix.Experts); expert++)
                    Add(tensors, part, matrix, expert, matrix.IsStack ? NameOf(matrix.Tensors[0], stacks) : matrix.Modules.ElementAt(matrix.Tensors.Count == 1 ? 0 : expert));
            }
        }

        return [.. tensors.Values.OrderBy(t => t.Name, StringComparer.Ordinal)];
    }

    /// <summary>The tensor's values.</summary>
    /// <param name="read">Reads a parameter, or its gradient.</param>
    public float[] Gather(Func<Parameter, float[]> read)
    {
        var values = new float[checked(Shape[0] * Shape[1])];
        foreach (var run in _runs)
        {
            var own = read(run.Parameter);
            run.ForEach((place, row, column) => values[row * Shape[1] + column] = own[place]);
        }

        return values;
    }

    /// <summary>Takes the tensor's values to the parameters.</summary>
    /// <param name="values">The values.</param>
    /// <param name="write">Where a parameter's values go.</param>
    public void Scatter(float[] values, Func<Parameter, float[]> write)
    {
        foreach (var run in _runs)
        {
            var own = write(run.Parameter);
            run.ForEach((place, row, column) => own[place] = values[row * Shape[1] + column]);
        }
    }

    /// <summary>Module of a tensor of the file, without what peft puts before it.</summary>
    /// <returns>null for a name that is not of an adapter's matrix.</returns>
    public static string? ModuleOf(string name)
    {
        var end = name.LastIndexOf(".lora_", StringComparison.Ordinal);
        return name.StartsWith(Prefix, StringComparison.Ordinal) && end > Prefix.Length ? name[Prefix.Length..end] : null;
    }

    private static void Add(Dictionary<string, PeftTensor> tensors, AdapterPart part, PublishedMatrix matrix, int expert, string module)
    {
        var (inputs, rank, stacked) = (matrix.Inputs, part.A.Value.Columns, matrix.IsStack ? matrix.Experts : 1);
        var ofExpert = matrix.IsStack ? expert : 0;
        var a = Tensor(".lora_A.weight", stacked * rank, inputs);
        if (a._runs.All(run => run.Expert != ofExpert))
            a._runs.Add(new Run(part.A, ofExpert, expert * inputs * rank, inputs, rank, (i, k) => (ofExpert * rank + k, i)));
        var outputs = matrix.OutputOfColumn;
        Tensor(".lora_B.weight", matrix.Outputs, rank * stacked)._runs.Add(new Run(
            part.B, ofExpert, expert * rank * outputs.Length, rank, outputs.Length, (k, o) => (outputs[o], k * stacked + ofExpert)));

        PeftTensor Tensor(string end, int rows, int columns)
        {
            var name = Prefix + module + end;
            if (!tensors.TryGetValue(name, out var tensor))
                tensors.Add(name, tensor = new PeftTensor(name, rows, columns));
            return tensor;
        }
    }

    // Several tensors of one module are wrapped one in another, the first innermost.
    private static string NameOf(string tensor, List<string> stacks)
    {
        var owner = OwnerOf(tensor);
        string[] ofOwner = [.. stacks.Where(s => OwnerOf(s) == owner)];
        return owner + string.Concat(Enumerable.Repeat(".base_layer", ofOwner.Length - 1 - Array.IndexOf(ofOwner, tensor)));
    }

    private static string OwnerOf(string tensor) => tensor[..Math.Max(0, tensor.LastIndexOf('.'))];

    /// <summary>A matrix within a parameter, row-major, and where in the tensor its element (i, j) is.</summary>
    private sealed record Run(Parameter Parameter, int Expert, int First, int Rows, int Columns, Func<int, int, (int Row, int Column)> To)
    {
        public void ForEach(Action<int, int, int> body)
        {
            for (var i = 0; i < Rows; i++)
            {
                for (var j = 0; j < Columns; j++)
                {
                    var (row, column) = To(i, j);
                    body(First + i * Columns + j, row, column);
                }
            }
        }
    }
}
