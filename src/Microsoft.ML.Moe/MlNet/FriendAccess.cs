using System.Runtime.CompilerServices;

// ML.NET has no public way to write a trainer that saves into a model zip. The runtime skips its access checks for the assemblies
// named here, and the compiler sees copies of them whose internal members are public. This folder alone makes use of it.
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Core")]
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Data")]

namespace System.Runtime.CompilerServices;

/// <summary>Known to the runtime by its name: this assembly may use the non-public members of another.</summary>
/// <param name="assemblyName">The other assembly's simple name.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
internal sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
{
    public string AssemblyName { get; } = assemblyName;
}
