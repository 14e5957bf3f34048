using System.Reflection;
using System.Text;

namespace Microsoft.ML.Moe.Tests;

/// <summary>The public surface, approved as a text file: a change shows up in review.</summary>
public sealed class PublicApiTests
{
    private const string FileName = "PublicApi.txt";

    [Fact]
    public void IsAsApproved()
    {
        var actual = Describe(typeof(MoeCatalog).Assembly);
        var approved = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, FileName)).ReplaceLineEndings("\n");
        Assert.True(approved == actual, $"The public API is not that of {FileName}. If the change is wanted, its new content is:\n\n{actual}");
    }

    private static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            var bases = type.GetInterfaces().Select(Name).Order(StringComparer.Ordinal);
            text.Append(type.FullName).Append(" : ").AppendJoin(", ", bases.Prepend(Name(type.BaseType!))).Append('\n');
            var members = type.GetMembers(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
                .Where(m => m is not Type && m is not MethodInfo { IsSpecialName: true })
                .Select(m => Describe(m)).Order(StringComparer.Ordinal);
            foreach (var member in members)
                text.Append("    ").Append(member).Append('\n');
        }

        return text.ToString();
    }

    private static string Describe(MemberInfo member) => member switch
    {
        MethodBase method => $"{(method.IsStatic ? "static " : "")}{method.Name}({string.Join(", ", method.GetParameters().Select(Describe))})"
            + (method is MethodInfo { ReturnType: var type } ? $" : {Name(type)}" : ""),
        PropertyInfo property =>
            $"{property.Name} {{ {(property.GetMethod is not null ? "get; " : "")}{(property.SetMethod is not null ? "set; " : "")}}} : {Name(property.PropertyType)}",
        _ => $"{member.MemberType} {member.Name}",
    };

    private static string Describe(ParameterInfo parameter) =>
        $"{Name(parameter.ParameterType)} {parameter.Name}{(parameter.HasDefaultValue ? $" = {parameter.DefaultValue ?? "null"}" : "")}";

    private static string Name(Type type) => type.IsGenericType
        ? $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>"
        : type is { IsNested: true, IsGenericParameter: false } ? $"{Name(type.DeclaringType!)}.{type.Name}" : type.Name;
}
