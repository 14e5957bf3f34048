using Microsoft.ML.Moe.Benchmarks;
using Microsoft.ML.Moe.Benchmarks.References;

return ReferenceEnvironment.RunAgain(args) ?? CommandLine.Run(args);
