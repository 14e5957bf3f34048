namespace Microsoft.ML.Runtime;

/// <summary>Argument checks that throw what ML.NET's throw.</summary>
internal static class Contracts
{
    public const string IsMarkedKey = "ML_IsMarked";

    /// <summary>Whether ML.NET itself raised it, and not a component's own code.</summary>
    public static bool IsMarked(this Exception ex) => ex.Data.Contains(IsMarkedKey);

    public static Exception Except(string msg) => Mark(new InvalidOperationException(msg));

    public static Exception Except(this IExceptionContext ctx, string msg) => Process(Except(msg), ctx);

    public static Exception ExceptParam(string paramName, string msg) => Mark(new ArgumentOutOfRangeException(paramName, msg));

    public static Exception ExceptParam(this IExceptionContext ctx, string paramName, string msg) =>
        Process(ExceptParam(paramName, msg), ctx);

    public static Exception ExceptUserArg(this IExceptionContext ctx, string name, string msg) =>
        Process(ExceptParam(name, msg), ctx);

    public static Exception ExceptValue(string paramName) => Mark(new ArgumentNullException(paramName));

    public static Exception ExceptDecode(string msg) => Mark(new FormatException(msg));

    public static Exception ExceptDecode(this IExceptionContext ctx, string msg) => Process(ExceptDecode(msg), ctx);

    public static Exception ExceptSchemaMismatch(this IExceptionContext ctx, string paramName, string columnRole, string columnName) =>
        ctx.ExceptParam(paramName, $"Could not find {columnRole} column '{columnName}'");

    public static Exception ExceptSchemaMismatch(
        this IExceptionContext ctx, string paramName, string columnRole, string columnName, string expectedType, string actualType) =>
        ctx.ExceptParam(paramName, $"Schema mismatch for {columnRole} column '{columnName}': expected {expectedType}, got {actualType}");

    public static void Check(bool f, string msg)
    {
        if (!f)
            throw Except(msg);
    }

    public static void Check(this IExceptionContext ctx, bool f, string msg)
    {
        if (!f)
            throw ctx.Except(msg);
    }

    public static void CheckDecode(bool f, string msg)
    {
        if (!f)
            throw ExceptDecode(msg);
    }

    public static void CheckDecode(this IExceptionContext ctx, bool f, string msg)
    {
        if (!f)
            throw ctx.ExceptDecode(msg);
    }

    public static void CheckParam(bool f, string paramName, string msg)
    {
        if (!f)
            throw ExceptParam(paramName, msg);
    }

    public static void CheckParam(this IExceptionContext ctx, bool f, string paramName, string msg)
    {
        if (!f)
            throw ctx.ExceptParam(paramName, msg);
    }

    public static void CheckUserArg(this IExceptionContext ctx, bool f, string name, string msg) => ctx.CheckParam(f, name, msg);

    public static void CheckValue<T>(T val, string paramName)
        where T : class
    {
        if (val is null)
            throw ExceptValue(paramName);
    }

    public static void CheckValue<T>(this IExceptionContext ctx, T val, string paramName)
        where T : class
    {
        if (val is null)
            throw Process(ExceptValue(paramName), ctx);
    }

    public static string CheckNonEmpty(string s, string paramName) =>
        !string.IsNullOrEmpty(s) ? s : throw ExceptParam(paramName, $"{paramName} cannot be null or empty");

    public static string CheckNonEmpty(this IExceptionContext ctx, string s, string paramName) =>
        !string.IsNullOrEmpty(s) ? s : throw ctx.ExceptParam(paramName, $"{paramName} cannot be null or empty");

    public static void CheckAlive(this IHostEnvironment env)
    {
        if (env is ICancelable { IsCanceled: true })
            throw Process(Mark(new OperationCanceledException("Operation was canceled.")), env);
    }

    public static TException Mark<TException>(TException ex)
        where TException : Exception
    {
        ex.Data[IsMarkedKey] = true;
        return ex;
    }

    private static TException Process<TException>(TException ex, IExceptionContext ctx)
        where TException : Exception
    {
        ctx?.Process(ex);
        return ex;
    }
}
