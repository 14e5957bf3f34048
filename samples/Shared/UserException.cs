namespace Samples;

/// <summary>Something that the user can put right: shown as one line, without a stack trace.</summary>
internal sealed class UserException(string message) : Exception(message);
