namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Says where a model's parameters are among the tensors of a checkpoint: one rule for each kind of parameter, written as
/// <c>Copy("layers.{l}.attention.query.weight", "encoder.layer.{l}.attention.self.query.weight", transpose: true)</c>. A target names
/// parameters of ours, a source tensors of the checkpoint; <c>{l}</c> is a number that both have, and where a source is
/// <c>"a | b"</c> either will do, the first that is there. Several rules for one target are alternatives too: the first whose tensors are all
/// there applies. Torch stores the matrix of a linear layer as [out, in], this library as [in, out]: hence <c>transpose</c>, of the last two
/// dimensions.
/// </summary>
/// <param name="architecture">What errors call the model.</param>
internal sealed class WeightRules(string architecture)
{
    private readonly List<(NamePattern Target, WeightSource Source)> _rules = [];
    private readonly List<NamePattern> _ignored = [];
    private string[] _prefixes = [""];

    /// <summary>What errors call the model.</summary>
    public string Architecture => architecture;

    /// <summary>Parameters under their own names, as this library's zips hold them.</summary>
    public static WeightRules Identity(string architecture = "the model")
    {
        var rules = new WeightRules(architecture);
        rules._rules.Add((new NamePattern("*"), new WeightSource.SameName()));
        return rules;
    }

    /// <summary>The parameter is a tensor.</summary>
    public WeightRules Copy(string target, string source, bool transpose = false) =>
        Add(target, new WeightSource.Tensor(Names(target, source, 0), transpose));

    /// <summary>
    /// The parameter has the elements of a tensor in their order, in a shape of its own: the kernel of a convolution as a matrix.
    /// </summary>
    public WeightRules Reshaped(string target, string source, bool transpose = false) =>
        Add(target, new WeightSource.Reshaped(Names(target, source, 0), transpose));

    /// <summary>
    /// The parameter is the kernel of a convolution as <see cref="Tensors.Tape.Convolution"/> reads it, [k·k·I, O], which torch stores as [O, I, k, k].
    /// </summary>
    /// <param name="target">The parameter.</param>
    /// <param name="source">The tensor.</param>
    /// <param name="side">Side of the window in pixels, k.</param>
    public WeightRules Kernel(string target, string source, int side)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        return Add(target, new WeightSource.Kernel(Names(target, source, 0), side));
    }

    /// <summary>
    /// The parameter is [E, …], its parts are tensors: the source has a number that the target has not, and from 0 to E − 1 it numbers them.
    /// </summary>
    public WeightRules Stack(string target, string source, bool transpose = false)
    {
        var names = Names(target, source, 1);
        var known = new NamePattern(target).Variables;
        return Add(target, new WeightSource.Stack(names, names[0].Variables.First(v => !known.Contains(v)), transpose));
    }

    /// <summary>The parameter is [E, …], each of its parts one and the same tensor: experts that begin as copies of a dense layer.</summary>
    public WeightRules Repeat(string target, string source, bool transpose = false) =>
        Add(target, new WeightSource.Repeat(new WeightSource.Tensor(Names(target, source, 0), transpose)));

    /// <summary>The parameter is [E, …], its parts are the equal runs of rows that one tensor has one after the other.</summary>
    public WeightRules StackSlices(string target, string source, bool transpose = false) =>
        Add(target, new WeightSource.StackSlices(Names(target, source, 0), transpose));

    /// <summary>
    /// The parameter is [E, …], each of its parts what the rules say of another parameter, which need not be one of the model's.
    /// </summary>
    /// <param name="target">The parameter.</param>
    /// <param name="other">The other one's name, with the same numbers.</param>
    public WeightRules RepeatOther(string target, string other) =>
        Add(target, new WeightSource.RepeatOther(this, new NamePattern(other)));

    /// <summary>The parameter is one of the equal parts of a tensor: queries of queries, keys and values, gates of gates and others.</summary>
    /// <param name="target">The parameter.</param>
    /// <param name="source">The tensor.</param>
    /// <param name="part">Number of the part, from 0.</param>
    /// <param name="of">Number of parts.</param>
    /// <param name="axis">The tensor's dimension that is divided.</param>
    /// <param name="groups">
    /// How many groups the dimension consists of, each with all parts side by side: heads that have their query, key and value together.
    /// </param>
    /// <param name="transpose">Whether the part is transposed.</param>
    public WeightRules Slice(string target, string source, int part, int of, int axis = 0, int groups = 1, bool transpose = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(of, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(groups, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(axis);
        ArgumentOutOfRangeException.ThrowIfNegative(part);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(part, of);
        return Add(target, new WeightSource.Slice(Names(target, source, 0), axis, groups, part, of, transpose));
    }

    /// <summary>The parameter is a run of a tensor's rows, or one such run of each of the equal groups that its rows consist of.</summary>
    /// <param name="target">The parameter.</param>
    /// <param name="source">The tensor.</param>
    /// <param name="first">First row within each group.</param>
    /// <param name="length">Number of rows.</param>
    /// <param name="groupLength">Rows of a group.</param>
    /// <param name="groups">Number of groups: heads, say.</param>
    /// <param name="transpose">Whether the run is transposed.</param>
    public WeightRules Run(
        string target, string source, int first, int length, int groupLength, int groups = 1, bool transpose = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(groups, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + length, groupLength);
        return Add(target, new WeightSource.Run(Names(target, source, 0), 0, groups, first, length, groupLength, transpose));
    }

    /// <summary>The parameter is the only row of a tensor: [E] of [1, E].</summary>
    public WeightRules OnlyRow(string target, string source) => Add(target, new WeightSource.OnlyRow(Names(target, source, 0)));

    /// <summary>The parameter is tensors side by side.</summary>
    /// <param name="target">The parameter.</param>
    /// <param name="sources">The tensors in their order.</param>
    /// <param name="axis">The parameter's dimension along which they stand, once they are transposed.</param>
    /// <param name="transpose">Whether each is transposed.</param>
    public WeightRules Concat(string target, IReadOnlyList<string> sources, int axis = 0, bool transpose = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(axis);
        return Add(target, new WeightSource.Concat(
            [.. sources.Select(source => new WeightSource.Tensor(Names(target, source, 0), transpose))], axis));
    }

    /// <summary>The parameter has one value everywhere.</summary>
    public WeightRules Constant(string target, float value) => Add(target, new WeightSource.Constant(value));

    /// <summary>The parameter may be absent, when no rule before applies: the model then initialises it as it does when it is new.</summary>
    public WeightRules Optional(string target) => Add(target, new WeightSource.Initial());

    /// <summary>Tensors that the model does without; an asterisk stands for any text.</summary>
    public WeightRules Ignore(params string[] sources)
    {
        _ignored.AddRange(sources.Select(source => new NamePattern(source)));
        return this;
    }

    /// <summary>The last of <see cref="Prefixes"/>: what stands before the names in a file that holds the model's own head too.</summary>
    public string PrefixBesideHead => _prefixes[^1];

    /// <summary>What may stand before the name of any tensor, such as <c>bert.</c> in a model with a head; "" for nothing.</summary>
    public WeightRules Prefixes(params string[] prefixes)
    {
        _prefixes = prefixes;
        return this;
    }

    /// <summary>Whether the model does without a tensor.</summary>
    public bool IsIgnored(string name) => _ignored.Any(pattern =>
        _prefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal) && pattern.Match(name[p.Length..]) is not null));

    /// <summary>Finds what a parameter is made of.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="tensors">The checkpoint.</param>
    /// <returns>
    /// The block, whose shape may be another; or null and why: names that are missing, or tensors that do not fit one another.
    /// </returns>
    public WeightMatch Find(string name, int[] shape, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        WeightMatch? first = null;
        foreach (var (target, source) in _rules)
        {
            if (target.Match(name) is not { } numbers)
                continue;
            var match = source.Find(new WeightRequest(name, shape, numbers, tensors, _prefixes));
            if (match.Missing is null)
                return match;
            first ??= match;
        }

        return first ?? new WeightMatch { Missing = $"{name} (no rule says where it is)" };
    }

    /// <summary>
    /// The tensors that hold a parameter in a complete checkpoint, by their first names; none for one that a checkpoint does not hold. The
    /// parts of a <see cref="Concat"/> are as large as each other.
    /// </summary>
    /// <param name="name">The parameter.</param>
    /// <param name="shape">Its shape.</param>
    /// <exception cref="InvalidOperationException">No rule says where the parameter is.</exception>
    public IReadOnlyList<(string Name, int[] Shape)> Expect(string name, int[] shape)
    {
        foreach (var (target, source) in _rules)
            if (target.Match(name) is { } numbers)
                return [.. source.Expect(new WeightRequest(name, shape, numbers, new Dictionary<string, TensorInfo>(), _prefixes))];
        throw new InvalidOperationException($"{architecture} has no tensor for {name} {TensorInfo.TextOf(shape)}.");
    }

    /// <summary>
    /// What a parameter is made of in complete checkpoints, for each form that these can have: blocks of tensors under their names without
    /// prefix. None for one that a checkpoint does not hold.
    /// </summary>
    /// <param name="name">The parameter.</param>
    /// <param name="shape">Its shape.</param>
    public IEnumerable<TensorBlock> Forms(string name, int[] shape)
    {
        foreach (var (target, source) in _rules)
        {
            if (target.Match(name) is not { } numbers)
                continue;
            string[] last = [];
            for (var form = 0; ; form++)
            {
                var request = new WeightRequest(name, shape, numbers, new Dictionary<string, TensorInfo>(), [""]) { Form = form };
                var tensors = source.Expect(request)
                    .DistinctBy(t => t.Name)
                    .ToDictionary(t => t.Name, t => new TensorInfo(t.Name, TensorType.F32, t.Shape, TensorInfo.Product(t.Shape), 0));
                if (tensors.Keys.SequenceEqual(last))
                    break;
                last = [.. tensors.Keys];
                if (source.Find(request with { Tensors = tensors }).Block is { } block)
                    yield return block;
            }
        }
    }

    /// <summary>What stands before tensors' names in a model with a head, such as <c>bert.</c>; "" where nothing does.</summary>
    public string HeadPrefix => _prefixes[^1];

    private static NamePattern[] Names(string target, string source, int freeVariables)
    {
        NamePattern[] names = [.. source.Split('|', StringSplitOptions.TrimEntries).Select(name => new NamePattern(name))];
        var known = new NamePattern(target).Variables;
        foreach (var name in names)
        {
            if (name.ToString().Contains('*', StringComparison.Ordinal))
                throw new ArgumentException($"'{name}' must be one name for each target, without an asterisk.", nameof(source));
            if (name.Variables.Count(v => !known.Contains(v)) != freeVariables)
                throw new ArgumentException($"'{name}' needs {freeVariables} number(s) that '{target}' has not.", nameof(source));
        }

        return names;
    }

    private WeightRules Add(string target, WeightSource source)
    {
        _rules.Add((new NamePattern(target), source));
        return this;
    }
}
