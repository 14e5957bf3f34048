using System.Reflection;

namespace Microsoft.ML.Runtime;

/// <summary>What can be loaded from a model: the classes that registered assemblies declare with <c>LoadableClass</c>.</summary>
public sealed class ComponentCatalog
{
    private const BindingFlags Any = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance;
    private readonly HashSet<Assembly> _assemblies = [];
    private readonly Dictionary<(string Name, Type Signature), LoadableClassAttributeBase> _classes = [];

    internal ComponentCatalog()
    {
    }

    public void RegisterAssembly(Assembly assembly, bool throwOnError = true)
    {
        Contracts.CheckValue(assembly, nameof(assembly));
        lock (_classes)
        {
            if (!_assemblies.Add(assembly))
                return;
            foreach (var found in assembly.GetCustomAttributes<LoadableClassAttributeBase>())
            foreach (var name in found.LoadNames)
            foreach (var signature in found.SigTypes)
                if (!_classes.TryAdd((name.ToLowerInvariant(), signature), found) && throwOnError)
                    throw Contracts.Except($"The name '{name}' is taken by {_classes[(name.ToLowerInvariant(), signature)].LoaderType}.");
        }
    }

    /// <summary>Calls the class's Create or constructor of (environment, context); null where no class has the name.</summary>
    internal object CreateOrNull(IHostEnvironment env, string name, Type signature, ModelLoadContext ctx)
    {
        LoadableClassAttributeBase found;
        lock (_classes)
            if (!_classes.TryGetValue((name.Trim().ToLowerInvariant(), signature), out found))
                return null;
        var type = found.LoaderType;
        Type[] parameters = [typeof(IHostEnvironment), typeof(ModelLoadContext)];
        var create = type.GetMethod("Create", Any & ~BindingFlags.Instance, parameters);
        if (create != null && !found.InstanceType.IsAssignableFrom(create.ReturnType))
            create = null;
        var constructor = found.InstanceType.IsAssignableFrom(type) ? type.GetConstructor(Any & ~BindingFlags.Static, parameters) : null;
        if (create != null && constructor != null && Access(create) == Access(constructor))
            throw Contracts.Except(
                $"Can't load type {found.InstanceType}, because it has both create and constructor methods with the same visibility.");
        try
        {
            if (create != null && (constructor == null || Access(create) > Access(constructor)))
                return create.Invoke(null, [env, ctx]);
            return constructor?.Invoke([env, ctx]) ?? throw Contracts.Except($"Can't instantiate class '{type.Name}'");
        }
        catch (TargetInvocationException ex) when (ex.InnerException?.IsMarked() == true)
        {
            throw new InvalidOperationException("Error during class instantiation", ex);
        }
    }

    private static int Access(MethodBase method) =>
        method.IsPublic ? 4 : method.IsFamilyOrAssembly ? 3 : method.IsAssembly ? 2 : method.IsFamily ? 1 : 0;
}
