using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

internal static class Hosts
{
    /// <summary>The environment behind an <see cref="MLContext"/>; the listener gets each message and its source's name.</summary>
    internal static IHostEnvironmentInternal CreateRoot(int? seed, Action<string, ChannelMessage> listener) => new Host(seed, listener);
}

/// <summary>The root (no name) or a component's own part of it.</summary>
file sealed class Host : IHost, IHostEnvironmentInternal, ICancelable
{
    private readonly List<WeakReference<Host>> _children = [];
    private readonly Action<string, ChannelMessage> _listener;
    private readonly string _name;
    private readonly string _fullName;
    private readonly Host _parent;

    public Host(int? seed, Action<string, ChannelMessage> listener)
    {
        Seed = seed;
        _listener = listener;
        Rand = seed is { } s ? new TauswortheHybrid((uint)s) : new TauswortheHybrid(new Random());
        ComponentCatalog = new ComponentCatalog();
        TempFilePath = Path.GetTempPath();
    }

    private Host(Host parent, string name, Random rand)
    {
        _parent = parent;
        _name = name;
        _fullName = parent._parent?._fullName is { } prefix ? $"{prefix}; {name}" : name;
        _listener = parent._listener;
        Rand = rand;
        Seed = parent.Seed;
        ComponentCatalog = parent.ComponentCatalog;
        TempFilePath = parent.TempFilePath;
        GpuDeviceId = parent.GpuDeviceId;
        FallbackToCpu = parent.FallbackToCpu;
        IsCanceled = parent.IsCanceled;
    }

    public Random Rand { get; }

    public int? Seed { get; }

    public ComponentCatalog ComponentCatalog { get; }

    public string TempFilePath { get; set; }

    public int? GpuDeviceId { get; set; }

    public bool FallbackToCpu { get; set; }

    public bool IsCanceled { get; private set; }

    public string ContextDescription => "HostEnvironment";

    public void CancelExecution()
    {
        lock (_children)
        {
            foreach (var reference in _children)
                if (reference.TryGetTarget(out var child))
                    child.CancelExecution();
            _children.Clear();
            IsCanceled = true;
        }
    }

    public IHost Register(string name, int? seed = null, bool? verbose = null)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        lock (_children)
        {
            _children.RemoveAll(r => !r.TryGetTarget(out _));
            var host = new Host(this, name, seed is { } s ? new TauswortheHybrid((uint)s) : new TauswortheHybrid(Rand));
            _children.Add(new WeakReference<Host>(host));
            return host;
        }
    }

    public IChannel Start(string name) => Channels.Start(this, FullNameOf(name), _listener);

    public IPipe<TMessage> StartPipe<TMessage>(string name) => Channels.StartPipe<TMessage>(this, FullNameOf(name));

    public IProgressChannel StartProgressChannel(string name)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        return Channels.StartProgress();
    }

    public TException Process<TException>(TException ex)
        where TException : Exception
    {
        if (ex == null)
            return null;
        ex.Data["Throwing component"] = _name ?? "Environment";
        Contracts.Mark(ex);
        return ex;
    }

    private string FullNameOf(string channel) => _fullName == null ? channel : $"{_fullName}; {channel}";
}
