using Microsoft.ML.Moe.Experiments;

return CommandLine.Run(args);
