// Search for good options on several machines: the first starts the search and prints what was found in the end; all train.
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Cluster;
using Samples;

var builder = Host.CreateApplicationBuilder(args);
var settings = builder.Configuration; // --shared FOLDER, or the environment variable SHARED; so with all
var shared = Directory.CreateDirectory(settings["shared"] ?? Path.Combine(Path.GetTempPath(), "moe-cluster")).FullName;
var port = settings.GetValue("port", 11111);
builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Microsoft.ML.Moe.Cluster", LogLevel.Information);
builder.UseOrleans(silo =>
{
    // How silos find each other: in Redis, or on this machine alone, where the first of them must not end.
    if (settings["redis"] is { } redis)
        silo.UseRedisClustering(redis).ConfigureEndpoints(port, port - 1000);
    else
        silo.UseLocalhostClustering(port, port - 1000, new IPEndPoint(IPAddress.Loopback, settings.GetValue("primary", 11111)));
    silo.AddMoeSweeps(sweeps => sweeps.Add("methods", Table, Sweep));
});
using var host = builder.Build();
await host.StartAsync();
if (args is ["coordinator", ..])
{
    var result = await host.Services.GetRequiredService<IGrainFactory>().SweepAsync("methods");
    foreach (var trial in result.Leaderboard)
        Console.WriteLine($"{trial.Number}: {trial.Loss:0.0000} {trial.Verdict} {string.Join(", ", trial.Options)}");
    result.SaveHtml(Path.Combine(shared, "methods.html"));
    Console.WriteLine($"Best RMSE: {result.Best!.Loss:0.0000} doublings, trial {result.Best.Number} of {result.Trials.Count}");
    Console.WriteLine($"Model: {result.ModelFile}");
    await host.StopAsync();
}
else
{
    Console.WriteLine("This worker trains until it is told to end.");
    await host.WaitForShutdownAsync();
}

// Each machine reads the table itself; that all have the same is checked.
IDataView Table(MLContext ml)
{
    var file = Path.Combine(shared, "methods.csv");
    if (!File.Exists(file))
        File.Move(DotNetMethods.Write($"{file}.{Environment.ProcessId}", settings.GetValue("rows", 8000)), file, overwrite: true);
    return ml.Data.LoadFromTextFile<Method>(file, separatorChar: ',', hasHeader: true);
}

// The same as on one machine, with a journal in a folder that all machines see.
SweepEstimator<MoeRegressionTrainer.Options> Sweep(MLContext ml) => ml.Regression.Trainers.Sweep(
    SearchSpaces.RegressionTables.Fix(o => o.LabelColumnName, "LogBytes").Fix(o => o.MaxEpochs, 9),
    (own, o) => own.Transforms.Categorical.OneHotEncoding([new("Library"), new("Access"), new("Returns")])
        .Append(own.Transforms.Concatenate("Features", "Library", "Access", "Returns", "Parameters", "References", "Siblings"))
        .Append(own.Regression.Trainers.MoeRegressor(o)),
    new SweepOptions
    {
        LabelColumnName = "LogBytes", MaxTrials = settings.GetValue("trials", 12), JournalFile = Path.Combine(shared, "methods.jsonl"),
    });

internal sealed class Method
{
    [LoadColumn(0)] public string Library { get; set; } = "";
    [LoadColumn(1)] public string Access { get; set; } = "";
    [LoadColumn(2)] public string Returns { get; set; } = "";
    [LoadColumn(3)] public float Parameters { get; set; }
    [LoadColumn(4)] public float References { get; set; }
    [LoadColumn(9)] public float Siblings { get; set; }
    [LoadColumn(10)] public float LogBytes { get; set; }
}
