namespace Microsoft.ML.Moe.Generation;

/// <summary>A turn of a conversation.</summary>
/// <param name="Role">Who speaks: <c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Content">What is said.</param>
public sealed record ChatTurn(string Role, string Content)
{
    /// <summary>Tells the model what it is to be.</summary>
    public const string System = "system";

    /// <summary>Asks.</summary>
    public const string User = "user";

    /// <summary>The model's answers.</summary>
    public const string Assistant = "assistant";
}
