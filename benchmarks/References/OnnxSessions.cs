using Microsoft.ML.OnnxRuntime;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>ONNX Runtime as all of its references use it.</summary>
internal static class OnnxSessions
{
    /// <summary>What it calls itself.</summary>
    public static string Version => $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}";

    /// <summary>Options of a session.</summary>
    /// <param name="threads">Threads that it may take.</param>
    public static SessionOptions Options(int threads)
    {
        var options = new SessionOptions { IntraOpNumThreads = threads, InterOpNumThreads = 1 };
        // waiting threads must not take the CPUs that the other side runs on
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        return options;
    }
}
