namespace TorchSharp;

internal static class StandIn
{
    internal static NotSupportedException Error =>
        new("This is a stand-in for TorchSharp to compile against; it does not run. Build with TorchFeed=nuget or TorchFeed=local.");
}
