using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests;

/// <summary>What models are trained and scored on.</summary>
public sealed class DeviceTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public DeviceTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    [Theory]
    // the CPU, whatever there is
    [InlineData(MoeDevice.Cpu, null, false, 2, null)]
    [InlineData(MoeDevice.Cpu, 1, false, 2, null)]
    // nothing named: the first GPU, if there is one
    [InlineData(MoeDevice.Automatic, null, false, 2, 0)]
    [InlineData(MoeDevice.Automatic, null, false, 0, null)]
    // one named: that one, or an error, unless the CPU may take its place
    [InlineData(MoeDevice.Automatic, 1, false, 2, 1)]
    [InlineData(MoeDevice.Automatic, 2, false, 2, 2)]
    [InlineData(MoeDevice.Automatic, 2, true, 2, null)]
    [InlineData(MoeDevice.Automatic, -1, true, 2, null)]
    // any GPU
    [InlineData(MoeDevice.Gpu, null, false, 0, 0)]
    [InlineData(MoeDevice.Gpu, null, true, 0, null)]
    [InlineData(MoeDevice.Gpu, null, true, 1, 0)]
    [InlineData(MoeDevice.Gpu, 1, true, 2, 1)]
    public void The_GPU_is_chosen_by_what_is_asked_for_and_what_is_there(MoeDevice device, int? number, bool fallback, int count, int? expected) =>
        Assert.Equal(expected, Engines.Choose(device, number, fallback, () => count));

    [Fact]
    public void Int8_that_becomes_single_precision_is_told()
    {
        using var managed = new ManagedEngine(1);
        using var other = new OtherEngine();
        Assert.Equal(WeightPrecision.Int8, Engines.PrecisionOn(managed, WeightPrecision.Int8, _ml));
        Assert.Equal(WeightPrecision.AsStored, Engines.PrecisionOn(other, WeightPrecision.AsStored, _ml));
        Assert.Empty(_log);
        Assert.Equal(WeightPrecision.AsStored, Engines.PrecisionOn(other, WeightPrecision.Int8, _ml));
        Assert.Single(_log, l => l.StartsWith("Warning: The model was saved with Weights = Int8", StringComparison.Ordinal));
    }

    [SkippableTheory]
    [InlineData(MoeDevice.Gpu, null)]
    [InlineData(MoeDevice.Automatic, 0)]
    public void A_GPU_that_is_not_there_is_an_error_that_says_what_to_do(MoeDevice device, int? number)
    {
        SkipWithGpu();
        _ml.GpuDeviceId = number;

        var error = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, o => o.Device = device));

        Assert.Contains("GPU 0", error.Message, StringComparison.Ordinal);
        Assert.Contains(Assert.ThrowsAny<Exception>(() => new TorchEngine(0)).Message, error.Message, StringComparison.Ordinal);
        Assert.Contains("FallbackToCpu", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void The_processor_takes_its_place_where_that_is_allowed_and_the_log_says_so()
    {
        SkipWithGpu();
        (_ml.GpuDeviceId, _ml.FallbackToCpu) = (3, true);

        using var model = Models.Fit(_ml);

        var reason = Assert.ThrowsAny<Exception>(() => new TorchEngine(3)).Message;
        Assert.Contains(_log, l => l.StartsWith("Warning: GPU 3 cannot be used", StringComparison.Ordinal) && l.EndsWith(reason, StringComparison.Ordinal));
        Assert.Contains(_log, l => l.Contains("engine: managed", StringComparison.Ordinal));
    }

    [SkippableFact]
    public void A_model_is_loaded_onto_the_device_of_the_context_that_loads_it()
    {
        SkipWithGpu();
        using var folder = new TemporaryFolder();
        var path = folder["model.zip"];
        using (var model = Models.Fit(_ml))
            _ml.Model.Save(model, null, path);
        var other = new MLContext { GpuDeviceId = 0 };

        var error = Assert.ThrowsAny<Exception>(() => other.Model.Load(path, out _));
        other.FallbackToCpu = true;
        using var loaded = (IDisposable)other.Model.Load(path, out _);

        Assert.Contains("GPU 0 cannot be used", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_is_none_is_refused() =>
        Assert.Equal("Device", Assert.Throws<ArgumentOutOfRangeException>(() => Models.Fit(_ml, o => o.Device = (MoeDevice)7)).ParamName);

    [Fact]
    public void A_precision_that_is_none_is_refused() =>
        Assert.Equal(
            "Precision",
            Assert.Throws<ArgumentOutOfRangeException>(() => Models.Fit(_ml, o => o.Precision = (TrainingPrecision)7)).ParamName);

    [Fact]
    public void The_log_says_where_bfloat16_is_not_to_be_had()
    {
        using var model = Models.Fit(_ml, o => (o.Device, o.Precision) = (MoeDevice.Cpu, TrainingPrecision.BFloat16));

        Assert.Contains(_log, l => l.StartsWith("Warning: The managed engine trains in single precision", StringComparison.Ordinal));
    }

    private static void SkipWithGpu() => Skip.If(TorchEngine.GpuCount > 0, "This machine has a GPU that TorchSharp can use.");
}
