using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;

namespace Samples.Tests;

/// <summary>The server, in a process of its own, on a socket that is a file: no network takes part.</summary>
public sealed class ServingTests : IDisposable
{
    private const string Listening = "Now listening on: ";
    private readonly TemporaryFolder _folder = new();
    private readonly Process _process;
    private readonly HttpClient _client;
    private readonly string _output;

    public ServingTests()
    {
        var socket = _folder["server"];
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectCallback = async (_, stop) => await ConnectAsync(socket, stop) });
        var program = Path.Combine(AppContext.BaseDirectory, "Serving.dll");
        _process = Process.Start(new ProcessStartInfo("dotnet", ["exec", program, "--urls", $"http://unix:{socket}"])
        {
            RedirectStandardOutput = true,
            Environment = { ["MODEL"] = _folder["model.zip"], ["MLNETMOE_SAMPLE_SHARE"] = "0.03" },
        })!;
        var lines = new List<string>();
        while (_process.StandardOutput.ReadLine() is { } line)
        {
            lines.Add(line);
            if (line.Contains(Listening, StringComparison.Ordinal))
            {
                _client.BaseAddress = new Uri("http://server/");
                break;
            }
        }

        _output = string.Join('\n', lines);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _client.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task The_server_answers_reloads_and_tells_how_it_is()
    {
        Assert.True(_client.BaseAddress is not null, _output);

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => ScoreAsync("Encrypts a message with the public key.")));
        Assert.All(answers, answer => Assert.Equal(answers[0], answer));
        Assert.InRange(answers[0].Probability, 0, 1);

        using (var reloaded = await _client.PostAsync("reload", null))
            Assert.Equal(HttpStatusCode.OK, reloaded.StatusCode);
        Assert.Equal("Healthy", await _client.GetStringAsync("health"));
        Assert.Equal(answers[0], await ScoreAsync("Encrypts a message with the public key."));

        // a file that is no model: the old one serves on, and the check says so
        _folder.Write("model.zip", "no model");
        using (var refused = await _client.PostAsync("reload", null))
            Assert.Equal(HttpStatusCode.InternalServerError, refused.StatusCode);
        Assert.Equal("Degraded", await _client.GetStringAsync("health"));
        Assert.Equal(answers[0], await ScoreAsync("Encrypts a message with the public key."));
    }

    [SkippableFact]
    public async Task What_is_measured_is_seen_through_OpenTelemetry()
    {
        Skip.If(OperatingSystem.IsWindows(), "A process is asked to end with SIGTERM.");
        await ScoreAsync("Adds middleware that redirects requests.");

        // what was measured is exported at the end at the latest
        using (var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            await kill.WaitForExitAsync();
        var output = await _process.StandardOutput.ReadToEndAsync();

        foreach (var name in new[] { "moe.rows", "moe.score.duration", "moe.batch.size", "moe.expert.load", "moe.uncertain.share" })
            Assert.Contains($"Metric Name: {name}", output, StringComparison.Ordinal);
    }

    private static async Task<Stream> ConnectAsync(string path, CancellationToken stop)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stop);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private async Task<(string Label, double Probability)> ScoreAsync(string text)
    {
        using var response = await _client.PostAsJsonAsync("score", new { text });
        response.EnsureSuccessStatusCode();
        using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return (answer.RootElement.GetProperty("label").GetString()!, answer.RootElement.GetProperty("probability").GetDouble());
    }
}
