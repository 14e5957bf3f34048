using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Docs.Tests;

/// <summary>
/// A block of C# made into a program: its statements become the body of a method, its types stand beside it. The variables that a block
/// takes for granted are the properties of its setup, from which the program's class derives.
/// </summary>
internal static class Snippet
{
    // what every project of .NET 10 has without asking
    private const string ImplicitUsings =
        "using System; using System.Collections.Generic; using System.IO; using System.Linq; using System.Net.Http; "
        + "using System.Threading; using System.Threading.Tasks;";

    // pages say once that examples need these
    private const string UsingsOfPages =
        "using Microsoft.ML; using Microsoft.ML.Data; using Microsoft.ML.Moe; using Microsoft.ML.Moe.Routing;";

    private static readonly CSharpParseOptions Language = new(LanguageVersion.Latest);

    private static readonly IReadOnlyList<MetadataReference> References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(file => !file.EndsWith("Docs.Tests.dll", StringComparison.Ordinal))
            .Append(typeof(Snippet).Assembly.Location)
            .Select(file => MetadataReference.CreateFromFile(file)),
    ];

    /// <summary>Compiles a block.</summary>
    /// <param name="code">The block.</param>
    /// <param name="setup">What it derives from.</param>
    /// <returns>Runs it.</returns>
    public static Func<Task> Compile(string code, Type setup)
    {
        var program = CSharpSyntaxTree.ParseText(code, Language).GetCompilationUnitRoot();
        var statements = string.Concat(program.Members.OfType<GlobalStatementSyntax>().Select(statement => statement.ToFullString()));
        var types = string.Concat(program.Members.Where(member => member is not GlobalStatementSyntax).Select(type => type.ToFullString()));
        var source =
            $"""
            #nullable enable
            {ImplicitUsings}
            {(setup == typeof(Setup) ? "" : UsingsOfPages)}
            {program.Usings.ToFullString()}
            public sealed class Program : {setup.FullName}
            {"{"}
            public async Task Run()
            {"{"}
            {statements}
            await Task.CompletedTask;
            {"}"}
            {"}"}
            {types}
            """;
        var compilation = CSharpCompilation.Create(
            $"Snippet{Guid.NewGuid():N}",
            [CSharpSyntaxTree.ParseText(source, Language)],
            References,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        using var assembly = new MemoryStream();
        var problems = compilation.Emit(assembly).Diagnostics.Where(IsProblem).ToList();
        Assert.True(problems.Count == 0, string.Join('\n', problems) + "\n\n" + source);
        var type = Assembly.Load(assembly.ToArray()).GetType("Program")!;
        return () => (Task)type.GetMethod("Run")!.Invoke(Activator.CreateInstance(type), BindingFlags.DoNotWrapExceptions, null, null, null)!;
    }

    // a using may stand in a block as well as among those of pages, and a block may show how something is made without using it;
    // ML.NET was compiled against an earlier version of what .NET has
    private static bool IsProblem(Diagnostic diagnostic) =>
        diagnostic.Severity == DiagnosticSeverity.Error
        || (diagnostic.Severity == DiagnosticSeverity.Warning && diagnostic.Id is not ("CS0105" or "CS0168" or "CS0219" or "CS1701" or "CS8321"));
}
