using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Adapters;

/// <summary>A parameter with its adapter: <see cref="Matrices"/> and the adapter's parts go together.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="Adapter">Its adapter.</param>
/// <param name="Matrices">What each of the adapter's parts adapts.</param>
internal sealed record AdaptedParameter(Parameter Parameter, Adapter Adapter, IReadOnlyList<PublishedMatrix> Matrices);

/// <summary>
/// Which matrices of a model have adapters, and of which rank: <see cref="LowRankAdaptation"/> names them as the published model does, and
/// <see cref="WeightRules"/> say where these are among the model's parameters. A model that was never published has its own names.
/// </summary>
internal sealed class AdapterPlan
{
    private const int NamesInErrors = 24;
    private static readonly TimeSpan MatchTime = TimeSpan.FromSeconds(1);

    private readonly LowRankAdaptation _adaptation;
    private readonly WeightRules _rules;
    private readonly string _prefix;
    private readonly List<(Regex Name, int Rank)> _ranks;
    private readonly List<(Regex Name, float Alpha)> _alphas;
    private readonly Dictionary<string, Parameter> _made = [];
    private readonly HashSet<string> _usedNames = [];
    private readonly HashSet<string> _left = [];
    private readonly List<AdaptedParameter> _adapted = [];

    /// <summary>Prepares the plan; <see cref="Create"/> carries it out.</summary>
    /// <param name="adaptation">What is adapted.</param>
    /// <param name="encoder">The architecture.</param>
    /// <exception cref="ArgumentException">A name among ranks or alphas is no regular expression.</exception>
    public AdapterPlan(LowRankAdaptation adaptation, EncoderConfig encoder)
    {
        _adaptation = adaptation;
        _rules = encoder is PublishedConfig published ? published.CreateRules() : WeightRules.Identity();
        _prefix = encoder is PublishedConfig { WritingHead: not null } ? _rules.HeadPrefix : "";
        _ranks = [.. adaptation.Ranks.Select(p => (EndOf(p.Key, nameof(adaptation.Ranks)), p.Value))];
        _alphas = [.. adaptation.Alphas.Select(p => (EndOf(p.Key, nameof(adaptation.Alphas)), p.Value))];
    }

    /// <summary>The parameters with adapters, in the order in which the model was made.</summary>
    public IReadOnlyList<AdaptedParameter> Adapted => _adapted;

    /// <summary>Modules that could have adapters and have none, and tensors that are no modules' weights.</summary>
    public IReadOnlySet<string> Left => _left;

    /// <summary>Makes the adapter of a parameter; null where it is to have none.</summary>
    /// <param name="store">Makes the adapter's parameters.</param>
    /// <param name="parameter">A matrix, or stacked matrices.</param>
    /// <param name="role">What it does.</param>
    /// <exception cref="ArgumentException">The names stand for some of a layer's experts, or these are to have different ranks.</exception>
    public Adapter? Create(ParameterStore store, Parameter parameter, ParameterRole role)
    {
        var matrices = MatricesOf(parameter, role);
        if (matrices.Count == 0)
            return null;
        AdapterPart[] parts = [.. matrices.Select(matrix => CreatePart(store, parameter, matrix))];
        var adapter = new Adapter(parts, parameter.Value.Columns, _adaptation.Dropout);
        _adapted.Add(new AdaptedParameter(parameter, adapter, matrices));
        return adapter;
    }

    /// <summary>Number of values that the adapters of parameters would have, which are not made.</summary>
    /// <param name="parameters">The parameters of a model.</param>
    /// <exception cref="ArgumentException">As of <see cref="Create"/>.</exception>
    public long CountValues(IEnumerable<(Parameter Parameter, ParameterRole Role)> parameters)
    {
        var (values, counted) = (0L, new HashSet<string>());
        foreach (var (parameter, role) in parameters.Where(p => p.Role is ParameterRole.Weight or ParameterRole.Router))
        {
            foreach (var matrix in MatricesOf(parameter, role))
            {
                var ofRank = (long)Math.Max(1, matrix.Experts) * RankOf(matrix).Rank;
                values += ofRank * matrix.OutputOfColumn.Length + (counted.Add(AdapterNameOf(parameter, matrix)) ? ofRank * matrix.Inputs : 0);
            }
        }

        return values;
    }

    /// <summary>To be called when the model is made.</summary>
    /// <param name="checksNames">Whether each name must stand for something; else it is enough that there is an adapter.</param>
    /// <exception cref="ArgumentException">Something is to be adapted that the model has not; the message lists what it has.</exception>
    public void Check(bool checksNames)
    {
        string[] unknown = [.. _adaptation.Targets.Concat(_adaptation.TargetParameters).Where(name => !_usedNames.Contains(name))];
        if (_adapted.Count > 0 && (unknown.Length == 0 || !checksNames))
            return;
        var what = _adaptation.HasNames ? $"matrices named {string.Join(", ", unknown)}" : $"layers of the kind {_adaptation.Layers}";
        string[] names = [.. _left.Concat(_adapted.SelectMany(a => a.Matrices).SelectMany(m => m.Modules)).Select(LastOf).Distinct().Order(StringComparer.Ordinal)];
        throw new ArgumentException(
            $"{_rules.Architecture} has no {what} to adapt; it has {string.Join(", ", names.Take(NamesInErrors))}"
            + $"{(names.Length > NamesInErrors ? ", …" : "")}.");
    }

    /// <summary>Whether a name is another, or ends with a dot and that.</summary>
    public static bool Ends(string name, string end) =>
        name.EndsWith(end, StringComparison.Ordinal) && (name.Length == end.Length || name[^(end.Length + 1)] == '.');

    private AdapterPart CreatePart(ParameterStore store, Parameter parameter, PublishedMatrix matrix)
    {
        var (rank, alpha) = RankOf(matrix);
        var name = AdapterNameOf(parameter, matrix);
        var a = Once(name + ".A", n => store.Uniform(
            n, ParameterRole.Adapter, 1f / MathF.Sqrt(matrix.Inputs), Shape(matrix.Inputs, rank)));
        var b = Once($"{name}.B{(matrix.IsWhole ? "" : "." + parameter.Name)}", n => store.Constant(
            n, ParameterRole.Adapter, 0f, Shape(rank, matrix.OutputOfColumn.Length)));
        (a.IsStackOfExperts, b.IsStackOfExperts) = (matrix.Experts > 0, matrix.Experts > 0);
        return new AdapterPart(a, b, _adaptation.Scaling(rank, alpha), matrix.FirstColumn);

        int[] Shape(int rows, int columns) => matrix.Experts > 0 ? [matrix.Experts, rows, columns] : [rows, columns];
    }

    private List<PublishedMatrix> MatricesOf(Parameter parameter, ParameterRole role)
    {
        foreach (var block in _rules.Forms(parameter.Name, parameter.Value.Shape.ToArray()))
        {
            if (PublishedMatrix.Of(block, _prefix) is not { } form)
                continue;
            List<PublishedMatrix> matrices = [.. form.Where(m => IsAdapted(m, parameter.Name, role))];
            _left.UnionWith(form.Except(matrices).SelectMany(m => m.Modules));
            if (matrices.Count > 0)
                return matrices;
        }

        return [];
    }

    private static string AdapterNameOf(Parameter parameter, PublishedMatrix matrix) =>
        "adapters." + (matrix.Tensors.Count == 1 ? PublishedMatrix.ModuleOf(matrix.Tensors[0]) : parameter.Name);

    // what several parameters are parts of has one A for all
    private Parameter Once(string name, Func<string, Parameter> create)
    {
        if (!_made.TryGetValue(name, out var parameter))
            _made.Add(name, parameter = create(name));
        return parameter;
    }

    private (int Rank, float Alpha) RankOf(PublishedMatrix matrix)
    {
        (int, float)[] all = [.. matrix.Modules.Select(RankOf).Distinct()];
        return all.Length == 1 ? all[0] : throw new ArgumentException(
            $"{nameof(LowRankAdaptation.Ranks)}: experts of one layer have one rank and one alpha, not those that differ among {matrix.Tensors[0]} and others.");
    }

    private (int Rank, float Alpha) RankOf(string module)
    {
        var rank = _ranks.Where(r => r.Name.IsMatch(module)).Select(r => (int?)r.Rank).FirstOrDefault() ?? _adaptation.Rank;
        return (rank, _alphas.Where(a => a.Name.IsMatch(module)).Select(a => (float?)a.Alpha).FirstOrDefault() ?? _adaptation.Alpha);
    }

    private bool IsAdapted(PublishedMatrix matrix, string parameter, ParameterRole role)
    {
        if (!_adaptation.HasNames)
            return (KindOf(parameter, role) & _adaptation.Layers) != 0;
        string[] named = [.. matrix.Tensors.Where(IsNamed)];
        return named.Length == 0 || named.Length == matrix.Tensors.Count ? named.Length > 0 : throw new ArgumentException(
            $"{nameof(LowRankAdaptation.Targets)} name some experts of a layer, such as {named[0]}, and not all: name all or none.");
    }

    private bool IsNamed(string tensor)
    {
        string[] names =
        [
            .. _adaptation.Targets.Where(name => Ends(PublishedMatrix.ModuleOf(tensor), name)),
            .. _adaptation.TargetParameters.Where(name => Ends(tensor, name)),
        ];
        _usedNames.UnionWith(names);
        return names.Length > 0;
    }

    private static AdaptedLayers KindOf(string parameter, ParameterRole role) => parameter.Split('.') switch
    {
        _ when role == ParameterRole.Router => AdaptedLayers.Router,
        var parts when parts.Contains("attention") || parts.Contains("crossAttention") => AdaptedLayers.Attention,
        var parts when parts.Contains("moe") => AdaptedLayers.Experts,
        var parts when parts.Contains("feedForward") => AdaptedLayers.Dense,
        _ => AdaptedLayers.None,
    };

    // peft's rule: re.match(rf"(.*\.)?({pattern})$", name)
    private static Regex EndOf(string pattern, string option)
    {
        try
        {
            return new Regex($@"^(.*\.)?({pattern})\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking, MatchTime);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ArgumentException($"{option}: '{pattern}' is no name, nor a regular expression that is supported: {e.Message}", option, e);
        }
    }

    private static string LastOf(string module) => module[(module.LastIndexOf('.') + 1)..];
}
