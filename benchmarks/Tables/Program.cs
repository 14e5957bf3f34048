using Microsoft.ML.Moe.Benchmarks.Tables;

return TablesCommand.Run(args);
