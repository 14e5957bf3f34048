using Microsoft.ML.Moe.Benchmarks;

return CommandLine.Run(args);
