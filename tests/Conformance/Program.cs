using System.Text.Json;
using Microsoft.ML.Moe.Conformance;
using Microsoft.ML.Moe.Tensors;

if (args.Length != 1 || !File.Exists(args[0]))
{
    Console.Error.WriteLine("usage: Conformance CASE.json   prints what the library computes for a golden routing case, as JSON");
    return 2;
}

using var engine = new ManagedEngine(1);
Console.WriteLine(JsonSerializer.Serialize(RoutingCase.Read(args[0]).Run(engine), JsonSerializerOptions.Web));
return 0;
