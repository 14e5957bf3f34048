using Microsoft.ML.Moe.Benchmarks.Peer;

return new PeerCommand().Parse(args).Invoke();
