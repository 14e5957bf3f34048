// FriendCopy FRIEND OUTFOLDER ASSEMBLY|FOLDER…
// Copies each assembly, whose references lie in the folders given, into OUTFOLDER with one attribute added: [assembly: InternalsVisibleTo("FRIEND")]. The copies are
// for the compiler alone, so that FRIEND sees ML.NET's internal members exactly as a friend assembly does, with the access
// modifiers that go with it; at run time IgnoresAccessChecksTo does the same.
using System.Runtime.CompilerServices;
using Mono.Cecil;

var (friend, folder) = (args[0], args[1]);
Directory.CreateDirectory(folder);
using var resolver = new DefaultAssemblyResolver();
foreach (var references in args[2..].Where(Directory.Exists))
    resolver.AddSearchDirectory(references);

foreach (var path in args[2..].Where(File.Exists))
{
    using var module = ModuleDefinition.ReadModule(path, new ReaderParameters { AssemblyResolver = resolver });
    var type = new TypeReference("System.Runtime.CompilerServices", nameof(InternalsVisibleToAttribute), module, module.TypeSystem.CoreLibrary);
    var constructor = new MethodReference(".ctor", module.TypeSystem.Void, type) { HasThis = true };
    constructor.Parameters.Add(new ParameterDefinition(module.TypeSystem.String));
    var attribute = new CustomAttribute(constructor);
    attribute.ConstructorArguments.Add(new CustomAttributeArgument(module.TypeSystem.String, friend));
    module.Assembly.CustomAttributes.Add(attribute);
    module.Write(Path.Combine(folder, Path.GetFileName(path)));
}
