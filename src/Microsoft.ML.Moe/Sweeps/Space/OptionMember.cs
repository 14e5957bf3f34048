using System.Globalization;
using System.Linq.Expressions;
using System.Reflection;

namespace Microsoft.ML.Moe.Sweeps.Space;

/// <summary>A property or field of an options class that a sweep reads and sets.</summary>
/// <param name="member">The property or field.</param>
internal sealed class OptionMember(MemberInfo member) : IEquatable<OptionMember>
{
    /// <summary>Its name.</summary>
    public string Name => member.Name;

    /// <summary>Type of its values, that within a nullable one.</summary>
    public Type Type => Nullable.GetUnderlyingType(DeclaredType) ?? DeclaredType;

    /// <summary>Whether its values are whole numbers.</summary>
    public bool IsInteger => Type == typeof(int) || Type == typeof(long);

    /// <summary>Whether its values are numbers.</summary>
    public bool IsNumber => IsInteger || Type == typeof(float) || Type == typeof(double);

    private Type DeclaredType => member is PropertyInfo property ? property.PropertyType : ((FieldInfo)member).FieldType;

    private bool CanBeNull => !DeclaredType.IsValueType || Nullable.GetUnderlyingType(DeclaredType) is not null;

    /// <summary>The option that an expression names.</summary>
    /// <exception cref="ArgumentException">It names none that can be set.</exception>
    public static OptionMember Of<TOptions, T>(Expression<Func<TOptions, T>> option)
    {
        ArgumentNullException.ThrowIfNull(option);
        var body = option.Body;
        while (body is UnaryExpression { NodeType: ExpressionType.Convert or ExpressionType.ConvertChecked } conversion)
            body = conversion.Operand;
        if (body is not MemberExpression { Expression: ParameterExpression } access)
            throw new ArgumentException($"'{option.Body}' is no option: name a property or field of {typeof(TOptions).Name}, as in o => o.LearningRate.", nameof(option));
        return CanBeSet(access.Member)
            ? new OptionMember(access.Member)
            : throw new ArgumentException($"{access.Member.Name} of {typeof(TOptions).Name} cannot be set.", nameof(option));
    }

    /// <summary>All options of a class that can be read and set.</summary>
    public static IEnumerable<(OptionMember Option, MemberInfo Member)> All(Type options) => options
        .GetMembers(BindingFlags.Public | BindingFlags.Instance)
        .Where(CanBeSet)
        .OrderBy(found => found.Name, StringComparer.Ordinal)
        .Select(found => (new OptionMember(found), found));

    /// <summary>Options that an expression reads.</summary>
    public static IReadOnlyList<OptionMember> ReadBy(Expression expression)
    {
        var finder = new Finder();
        finder.Visit(expression);
        return finder.Found;
    }

    /// <summary>Reads the option.</summary>
    public object? Get(object options) => member is PropertyInfo property ? property.GetValue(options) : ((FieldInfo)member).GetValue(options);

    /// <summary>Sets the option.</summary>
    public void Set(object options, object? value)
    {
        if (member is PropertyInfo property)
            property.SetValue(options, value);
        else
            ((FieldInfo)member).SetValue(options, value);
    }

    /// <summary>A value as one of this option's type.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public object? Convert(object? value)
    {
        if (value is null)
            return CanBeNull ? null : throw new ArgumentException($"{Name} cannot be null.", nameof(value));
        if (Type.IsInstanceOfType(value))
            return value;
        try
        {
            var converted = System.Convert.ChangeType(value, Type, CultureInfo.InvariantCulture);
            if (!IsInteger || System.Convert.ToDouble(value, CultureInfo.InvariantCulture) == System.Convert.ToDouble(converted, CultureInfo.InvariantCulture))
                return converted;
        }
        catch (Exception e) when (e is InvalidCastException or FormatException or OverflowException)
        {
            // told below
        }

        throw new ArgumentException($"{Name} is of type {Type.Name}; {OptionText.Of(value)} is no value of it.", nameof(value));
    }

    public bool Equals(OptionMember? other) => other is not null && other.Name == Name;

    public override bool Equals(object? obj) => Equals(obj as OptionMember);

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    private static bool CanBeSet(MemberInfo found) => found switch
    {
        PropertyInfo property => property.GetMethod?.IsPublic == true && property.SetMethod?.IsPublic == true && property.GetIndexParameters().Length == 0,
        FieldInfo field => !field.IsInitOnly && !field.IsLiteral,
        _ => false,
    };

    private sealed class Finder : ExpressionVisitor
    {
        public List<OptionMember> Found { get; } = [];

        protected override Expression VisitMember(MemberExpression node)
        {
            if (node.Expression is ParameterExpression)
                Found.Add(new OptionMember(node.Member));
            return base.VisitMember(node);
        }
    }
}
