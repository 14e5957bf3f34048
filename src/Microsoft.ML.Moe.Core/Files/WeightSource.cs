namespace Microsoft.ML.Moe.Files;

/// <summary>A parameter whose values are looked for.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Numbers">The numbers in its name.</param>
/// <param name="Tensors">Where to look.</param>
/// <param name="Prefixes">What may stand before the tensors' names.</param>
internal sealed record WeightRequest(
    string Name,
    int[] Shape,
    IReadOnlyDictionary<string, int> Numbers,
    IReadOnlyDictionary<string, TensorInfo> Tensors,
    IReadOnlyList<string> Prefixes)
{
    /// <summary>Which of the alternative names of a tensor a complete source is to have; the last for any beyond.</summary>
    public int Form { get; init; }

    /// <summary>The name that a complete source has.</summary>
    public string NameOf(IReadOnlyList<NamePattern> names) => names[Math.Min(Form, names.Count - 1)].Fill(Numbers);

    /// <summary>The first tensor that is there, of these names with any prefix; null where none is.</summary>
    public TensorInfo? Find(IReadOnlyList<NamePattern> names)
    {
        foreach (var name in names.Select(n => n.Fill(Numbers)))
        {
            foreach (var prefix in Prefixes)
            {
                if (Tensors.TryGetValue(prefix + name, out var tensor))
                    return tensor;
            }
        }

        return null;
    }

    /// <summary>The names, for errors.</summary>
    public string TextOf(IReadOnlyList<NamePattern> names) => string.Join(" or ", names.Select(n => n.Fill(Numbers)));
}

/// <summary>What a rule has found for a parameter; nothing of all where the model initialises it.</summary>
internal sealed class WeightMatch
{
    /// <summary>The values.</summary>
    public TensorBlock? Block { get; init; }

    /// <summary>Names of tensors that are not there, as text.</summary>
    public string? Missing { get; init; }

    /// <summary>Why the tensors do not fit one another, as text.</summary>
    public string? Misfit { get; init; }

    /// <summary>The tensors that are used, or would be.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; init; } = [];
}

/// <summary>Right side of a rule; see the methods of <see cref="WeightRules"/>.</summary>
internal abstract class WeightSource
{
    /// <summary>Looks for the values.</summary>
    public abstract WeightMatch Find(WeightRequest request);

    /// <summary>The tensors that hold the values where the source is complete, with their shapes: what is to be written.</summary>
    /// <param name="request">The parameter.</param>
    public abstract IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request);

    internal sealed class Tensor(IReadOnlyList<NamePattern> names, bool transpose) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request) => request.Find(names) is { } tensor
            ? Found(tensor, TensorBlock.Of(tensor), transpose)
            : new WeightMatch { Missing = request.TextOf(names) };

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) =>
            [(request.NameOf(names), transpose ? Transposed(request.Shape) : request.Shape)];
    }

    internal sealed class Reshaped(IReadOnlyList<NamePattern> names, bool transpose) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            if (request.Find(names) is not { } tensor)
                return new WeightMatch { Missing = request.TextOf(names) };
            int[] shape = [.. transpose ? Transposed(request.Shape) : request.Shape];
            return TensorInfo.Product(shape) == tensor.Elements
                ? Found(tensor, TensorBlock.Of(tensor, shape), transpose)
                : new WeightMatch
                {
                    Tensors = [tensor],
                    Misfit = $"{tensor.Name} {tensor.ShapeText} has not the elements of {TensorInfo.TextOf(shape)}",
                };
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) =>
            [(request.NameOf(names), transpose ? Transposed(request.Shape) : request.Shape)];
    }

    internal sealed class Kernel(IReadOnlyList<NamePattern> names, int side) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            if (request.Find(names) is not { } tensor)
                return new WeightMatch { Missing = request.TextOf(names) };
            int[] expected = ShapeOf(request.Shape);
            return tensor.Shape.AsSpan().SequenceEqual(expected)
                ? Found(tensor, TensorBlock.Kernel(tensor), transpose: false)
                : new WeightMatch { Tensors = [tensor], Misfit = $"{tensor.Name} {tensor.ShapeText} is not {TensorInfo.TextOf(expected)}" };
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) =>
            [(request.NameOf(names), ShapeOf(request.Shape))];

        private int[] ShapeOf(int[] shape) => [shape[1], shape[0] / (side * side), side, side];
    }

    internal sealed class SameName : WeightSource
    {
        public override WeightMatch Find(WeightRequest request) => request.Tensors.TryGetValue(request.Name, out var tensor)
            ? Found(tensor, TensorBlock.Of(tensor), transpose: false)
            : new WeightMatch { Missing = request.Name };

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) => [(request.Name, request.Shape)];
    }

    internal sealed class Slice(IReadOnlyList<NamePattern> names, int axis, int groups, int part, int of, bool transpose) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            if (request.Find(names) is not { } tensor)
                return new WeightMatch { Missing = request.TextOf(names) };
            return TensorBlock.Slice(tensor, axis, groups, part, of) is { } block
                ? Found(tensor, block, transpose)
                : new WeightMatch
                {
                    Tensors = [tensor],
                    Misfit = $"{tensor.Name} {tensor.ShapeText} cannot be divided into {groups} × {of} parts",
                };
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request)
        {
            int[] shape = [.. transpose ? Transposed(request.Shape) : request.Shape];
            shape[axis] *= of;
            return [(request.NameOf(names), shape)];
        }
    }

    internal sealed class Run(
        IReadOnlyList<NamePattern> names, int axis, int groups, int first, int length, int groupLength, bool transpose) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            if (request.Find(names) is not { } tensor)
                return new WeightMatch { Missing = request.TextOf(names) };
            return TensorBlock.Run(tensor, axis, groups, first, length, groupLength) is { } block
                ? Found(tensor, block, transpose)
                : new WeightMatch
                {
                    Tensors = [tensor],
                    Misfit = $"{tensor.Name} {tensor.ShapeText} has not {groups} × {groupLength} places along dimension {axis}",
                };
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request)
        {
            int[] shape = [.. transpose ? Transposed(request.Shape) : request.Shape];
            shape[axis] = groups * groupLength;
            return [(request.NameOf(names), shape)];
        }
    }

    internal sealed class OnlyRow(IReadOnlyList<NamePattern> names) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            if (request.Find(names) is not { } tensor)
                return new WeightMatch { Missing = request.TextOf(names) };
            if (tensor.Shape is not [1, .. var shape])
                return new WeightMatch { Tensors = [tensor], Misfit = $"{tensor.Name} {tensor.ShapeText} is not one row" };
            var row = TensorBlock.Of(tensor, shape);
            return Found(tensor, row with { Pieces = [row.Pieces[0] with { Tensor = tensor }] }, transpose: false);
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) =>
            [(request.NameOf(names), [1, .. request.Shape])];
    }

    internal sealed class Stack(IReadOnlyList<NamePattern> names, string variable, bool transpose) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            var tensor = new Tensor(names, transpose);
            var count = request.Shape.Length == 0 ? 0 : request.Shape[0];
            return All(
                [.. Enumerable.Range(0, count).Select(number =>
                    tensor.Find(request with { Numbers = new Dictionary<string, int>(request.Numbers) { [variable] = number } }))],
                TensorBlock.Stack);
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request)
        {
            var tensor = new Tensor(names, transpose);
            return Enumerable.Range(0, request.Shape[0]).SelectMany(number => tensor.Expect(request with
            {
                Shape = request.Shape[1..],
                Numbers = new Dictionary<string, int>(request.Numbers) { [variable] = number },
            }));
        }
    }

    internal sealed class StackSlices(IReadOnlyList<NamePattern> names, bool transpose) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            var count = request.Shape.Length == 0 ? 0 : request.Shape[0];
            return All(
                [.. Enumerable.Range(0, count).Select(part => new Slice(names, 0, 1, part, count, transpose).Find(request))],
                TensorBlock.Stack);
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) =>
            new Slice(names, 0, 1, 0, request.Shape[0], transpose).Expect(request with { Shape = request.Shape[1..] });
    }

    internal sealed class Repeat(Tensor tensor) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            var count = request.Shape.Length == 0 ? 0 : request.Shape[0];
            return All([.. Enumerable.Repeat(tensor.Find(request), count)], TensorBlock.Stack);
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) =>
            tensor.Expect(request with { Shape = request.Shape[1..] });
    }

    internal sealed class RepeatOther(WeightRules rules, NamePattern other) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request)
        {
            var count = request.Shape.Length == 0 ? 0 : request.Shape[0];
            var part = count == 0 ? new WeightMatch() : rules.Find(other.Fill(request.Numbers), request.Shape[1..], request.Tensors);
            return All([.. Enumerable.Repeat(part, count)], TensorBlock.Stack);
        }

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) =>
            rules.Expect(other.Fill(request.Numbers), request.Shape[1..]);
    }

    internal sealed class Concat(IReadOnlyList<Tensor> tensors, int axis) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request) =>
            All([.. tensors.Select(tensor => tensor.Find(request))], blocks => TensorBlock.Concat(blocks, axis));

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request)
        {
            int[] shape = [.. request.Shape];
            shape[axis] /= tensors.Count;
            return tensors.SelectMany(tensor => tensor.Expect(request with { Shape = shape }));
        }
    }

    internal sealed class Constant(float value) : WeightSource
    {
        public override WeightMatch Find(WeightRequest request) => new() { Block = TensorBlock.Of(value, request.Shape) };

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) => [];
    }

    internal sealed class Initial : WeightSource
    {
        public override WeightMatch Find(WeightRequest request) => new();

        public override IEnumerable<(string Name, int[] Shape)> Expect(WeightRequest request) => [];
    }

    private static int[] Transposed(int[] shape) => [.. shape[..^2], shape[^1], shape[^2]];

    private static WeightMatch Found(TensorInfo tensor, TensorBlock block, bool transpose) =>
        (transpose ? block.Transposed() : block) is { } found
            ? new WeightMatch { Block = found, Tensors = [tensor] }
            : new WeightMatch { Tensors = [tensor], Misfit = $"{tensor.Name} {tensor.ShapeText} cannot be transposed" };

    private static WeightMatch All(IReadOnlyList<WeightMatch> parts, Func<IReadOnlyList<TensorBlock>, TensorBlock?> join)
    {
        TensorInfo[] tensors = [.. parts.SelectMany(p => p.Tensors)];
        string[] missing = [.. parts.Select(p => p.Missing).OfType<string>().Distinct()];
        if (missing.Length > 0 || parts.Count == 0)
            return new WeightMatch { Tensors = tensors, Missing = string.Join(", ", missing) };
        if (parts.FirstOrDefault(p => p.Misfit is not null) is { } misfit)
            return new WeightMatch { Tensors = tensors, Misfit = misfit.Misfit };
        return join([.. parts.Select(p => p.Block!)]) is { } block
            ? new WeightMatch { Tensors = tensors, Block = block }
            : new WeightMatch
            {
                Tensors = tensors,
                Misfit = $"{string.Join(", ", tensors.Select(t => $"{t.Name} {t.ShapeText}").Distinct().Take(4))} do not fit one another",
            };
    }
}
