using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;

/// <summary>A method of .NET: what its declaration tells, and how long its code is. The table is made of the libraries that run the sample.</summary>
internal sealed class Method
{
    private const BindingFlags All =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public string Library { get; set; } = "";
    public string Access { get; set; } = "";
    public string Returns { get; set; } = "";
    public float Parameters { get; set; }
    public float References { get; set; }
    public float NameLength { get; set; }
    public float Static { get; set; }
    public float Virtual { get; set; }
    public float Generic { get; set; }
    public float Siblings { get; set; }
    public float LogBytes { get; set; }

    /// <summary>Methods of some of .NET's libraries, as many as are wanted, evenly spread over all.</summary>
    public static IReadOnlyList<Method> Read(int count)
    {
        Type[] ofLibraries = [typeof(object), typeof(Enumerable), typeof(Regex), typeof(HttpClient), typeof(XmlReader), typeof(JsonSerializer)];
        List<Method> all = [.. ofLibraries.SelectMany(type => type.Assembly.GetTypes()).SelectMany(type => Of(type.GetMethods(All)))];
        return [.. Enumerable.Range(0, Math.Min(count, all.Count)).Select(i => all[(int)((long)i * all.Count / Math.Min(count, all.Count))])];
    }

    private static IEnumerable<Method> Of(MethodInfo[] methods) =>
        from method in methods
        let length = method.GetMethodBody()?.GetILAsByteArray()?.Length ?? 0
        where length > 0
        select new Method
        {
            Library = method.DeclaringType!.Assembly.GetName().Name!,
            Access = method.IsPublic ? "public" : method.IsPrivate ? "private" : "other",
            Returns = method.ReturnType == typeof(void) ? "nothing" : Type.GetTypeCode(method.ReturnType).ToString(),
            Parameters = method.GetParameters().Length,
            References = method.GetParameters().Count(parameter => parameter.ParameterType.IsByRef),
            NameLength = method.Name.Length,
            Static = method.IsStatic ? 1 : 0,
            Virtual = method.IsVirtual ? 1 : 0,
            Generic = method.IsGenericMethod ? 1 : 0,
            Siblings = methods.Length,
            LogBytes = MathF.Log2(length),
        };
}
