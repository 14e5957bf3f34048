using MoeTool;

return App.Run(args, ToolConsole.OfProcess());
