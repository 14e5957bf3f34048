using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

public sealed class MLContext : IHostEnvironmentInternal
{
    private static int s_announced;
    private readonly IHostEnvironmentInternal _host;

    public MLContext(int? seed = null)
    {
        if (Interlocked.Exchange(ref s_announced, 1) == 0)
            Console.Error.WriteLine("Microsoft.ML is not on this package feed: running on this repository's stand-in for it.");
        _host = Hosts.CreateRoot(seed, (source, message) => Log?.Invoke(this, new LoggingEventArgs(message.Message, message.Kind, source)));
        Data = new DataOperationsCatalog(_host);
        Transforms = new TransformsCatalog(_host);
        MulticlassClassification = new MulticlassClassificationCatalog(_host);
        Model = new ModelOperationsCatalog(_host);
    }

    public event EventHandler<LoggingEventArgs> Log;

    public DataOperationsCatalog Data { get; }

    public TransformsCatalog Transforms { get; }

    public MulticlassClassificationCatalog MulticlassClassification { get; }

    public ModelOperationsCatalog Model { get; }

    public ComponentCatalog ComponentCatalog => _host.ComponentCatalog;

    public string TempFilePath
    {
        get => _host.TempFilePath;
        set => _host.TempFilePath = value;
    }

    public int? GpuDeviceId
    {
        get => _host.GpuDeviceId;
        set => _host.GpuDeviceId = value;
    }

    public bool FallbackToCpu
    {
        get => _host.FallbackToCpu;
        set => _host.FallbackToCpu = value;
    }

    string IExceptionContext.ContextDescription => _host.ContextDescription;

    int? IHostEnvironmentInternal.Seed => _host.Seed;

    TException IExceptionContext.Process<TException>(TException ex) => _host.Process(ex);

    IHost IHostEnvironment.Register(string name, int? seed, bool? verbose) => _host.Register(name, seed, verbose);

    IChannel IChannelProvider.Start(string name) => _host.Start(name);

    IPipe<TMessage> IChannelProvider.StartPipe<TMessage>(string name) => _host.StartPipe<TMessage>(name);

    IProgressChannel IProgressChannelProvider.StartProgressChannel(string name) => _host.StartProgressChannel(name);

    internal void CancelExecution() => ((ICancelable)_host).CancelExecution();
}
