namespace TorchSharp;

public static partial class torch
{
    public static Device CPU = new();

    public static string __version__ => throw StandIn.Error;

    public static void InitializeDeviceType(DeviceType deviceType) => throw StandIn.Error;

    public static bool TryInitializeDeviceType(DeviceType deviceType) => throw StandIn.Error;

    public static Device device(DeviceType deviceType, int index = -1) => throw StandIn.Error;

    public static int get_num_threads() => throw StandIn.Error;

    public static void set_num_threads(int num) => throw StandIn.Error;

    public static DisposeScope NewDisposeScope() => throw StandIn.Error;

    public static bool is_grad_enabled() => throw StandIn.Error;

    public static IDisposable set_grad_enabled(bool mode = true) => throw StandIn.Error;

    public static Tensor tensor(
        bool[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        throw StandIn.Error;

    public static Tensor tensor(
        long[] dataArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        throw StandIn.Error;

    public static Tensor tensor(
        float[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        throw StandIn.Error;

    public static Tensor tensor(
        float[] rawArray,
        ReadOnlySpan<long> dimensions,
        ScalarType? dtype = null,
        Device? device = null,
        bool requires_grad = false,
        string[]? names = null) => throw StandIn.Error;

    public static Tensor zeros(
        long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        throw StandIn.Error;

    public static Tensor zeros(
        ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        throw StandIn.Error;

    public static Tensor ones(
        ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        throw StandIn.Error;

    public static Tensor full(
        long[] size,
        Scalar value,
        ScalarType? dtype = null,
        Device? device = null,
        bool requires_grad = false,
        string[]? names = null) => throw StandIn.Error;

    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        throw StandIn.Error;

    public static Tensor searchsorted(
        Tensor sorted_sequence, Tensor values, bool out_int32 = false, bool right = false, Tensor? sorter = null) => throw StandIn.Error;

    public static Tensor empty_like(
        Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        throw StandIn.Error;

    public static Tensor zeros_like(
        Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        throw StandIn.Error;

    public static Tensor cat(IList<Tensor> tensors, long dim = 0) => throw StandIn.Error;

    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0) => throw StandIn.Error;

    public static Tensor where(Tensor condition, Tensor x, Tensor y) => throw StandIn.Error;
}
