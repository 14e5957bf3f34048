using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;

namespace Samples;

/// <summary>A table of the methods of .NET's own libraries, those that run the program: what a declaration tells, and how long the code is.</summary>
public static class DotNetMethods
{
    private const string Header = "Library,Access,Returns,Parameters,References,NameLength,Static,Virtual,Generic,Siblings,LogBytes";
    private const BindingFlags All =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    /// <summary>Writes a comma-separated table with a header.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="count">Methods that are wanted, evenly spread over all; fewer if there are not so many.</param>
    /// <returns>The path.</returns>
    public static string Write(string path, int count)
    {
        Type[] ofLibraries = [typeof(object), typeof(Enumerable), typeof(Regex), typeof(HttpClient), typeof(XmlReader), typeof(JsonSerializer)];
        List<string> all = [.. ofLibraries.SelectMany(type => type.Assembly.GetTypes()).SelectMany(type => Rows(type.GetMethods(All)))];
        count = Math.Min(count, all.Count);
        File.WriteAllLines(path, Enumerable.Range(0, count).Select(i => all[(int)((long)i * all.Count / count)]).Prepend(Header));
        return path;
    }

    private static IEnumerable<string> Rows(MethodInfo[] methods)
    {
        foreach (var method in methods)
        {
            if (method.GetMethodBody()?.GetILAsByteArray() is not { Length: > 0 and var bytes })
                continue;
            var access = method.IsPublic ? "public" : method.IsPrivate ? "private" : "other";
            var returns = method.ReturnType == typeof(void) ? "nothing" : Type.GetTypeCode(method.ReturnType).ToString();
            var parameters = method.GetParameters();
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{method.DeclaringType!.Assembly.GetName().Name},{access},{returns},{parameters.Length},"
                + $"{parameters.Count(parameter => parameter.ParameterType.IsByRef)},{method.Name.Length},{(method.IsStatic ? 1 : 0)},"
                + $"{(method.IsVirtual ? 1 : 0)},{(method.IsGenericMethod ? 1 : 0)},{methods.Length},{Math.Log2(bytes):0.###}");
        }
    }
}
