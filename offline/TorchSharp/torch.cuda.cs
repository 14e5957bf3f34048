namespace TorchSharp;

public static partial class torch
{
    public static class cuda
    {
        public static int device_count() => throw StandIn.Error;

        public static void manual_seed_all(long seed) => throw StandIn.Error;

        public static void synchronize(Device? device = null) => throw StandIn.Error;
    }
}
