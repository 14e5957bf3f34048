using System.Text;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Where a format puts what the system says.</summary>
internal enum SystemPlace
{
    /// <summary>It is a turn like others.</summary>
    Turn,

    /// <summary>All of it, in front of the first turn.</summary>
    Front,

    /// <summary>In the first turn of the user.</summary>
    FirstUser,

    /// <summary>In the last turn of the user.</summary>
    LastUser,

    /// <summary>Nowhere.</summary>
    None,
}

/// <summary>A conversation as a text: something around each turn, and what the answer begins with.</summary>
internal sealed record ChatFormat
{
    /// <summary>Name of the format.</summary>
    public required string Name { get; init; }

    /// <summary>What the text begins with.</summary>
    public string Start { get; init; } = "";

    /// <summary>What stands around a turn of the system, the user and the assistant.</summary>
    public (string Before, string After) System { get; init; } = ("", "");

    /// <inheritdoc cref="System"/>
    public required (string Before, string After) User { get; init; }

    /// <inheritdoc cref="System"/>
    public required (string Before, string After) Assistant { get; init; }

    /// <summary>What the answer begins with.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>
    /// Where what the system says goes; elsewhere than in a turn of its own it stands between <see cref="System"/>'s texts.
    /// </summary>
    public SystemPlace SystemPlace { get; init; }

    /// <summary>What the system says where it says nothing; null for nothing.</summary>
    public string? DefaultSystem { get; init; }

    /// <summary>Whether white space around contents of the user and the system goes.</summary>
    public bool Trims { get; init; }

    /// <summary>Whether white space around answers goes.</summary>
    public bool TrimsAnswers { get; init; }

    /// <summary>Whether answers are without what was thought before them.</summary>
    public bool StripsReasoning { get; init; }

    /// <summary>Whether user and assistant must take turns.</summary>
    public bool Alternates { get; init; }

    /// <summary>Why the system must say something; null where it need not.</summary>
    public string? NeedsSystem { get; init; }

    /// <summary>Tokens that end an answer.</summary>
    public IReadOnlyList<string> EndTokens { get; init; } = [];

    /// <summary>The text of turns.</summary>
    /// <exception cref="ArgumentException">The format has no place for one.</exception>
    public string Format(IReadOnlyList<ChatTurn> turns)
    {
        var system = turns.Where(t => t.Role == ChatTurn.System).Select(t => Trims ? t.Content.Trim() : t.Content).ToList();
        if (system.Count == 0 && DefaultSystem is not null)
            system.Add(DefaultSystem);
        if (system.Count == 0 && NeedsSystem is not null)
            throw new ArgumentException($"The format {Name} needs a system turn: {NeedsSystem}.", nameof(turns));
        if (system.Count > 0 && SystemPlace == SystemPlace.None)
            throw new ArgumentException($"The format {Name} has no system turns; put it into the user's.", nameof(turns));
        List<ChatTurn> others = [.. turns.Where(t => t.Role != ChatTurn.System)];
        Check(turns, others);

        var text = new StringBuilder(Start);
        var joined = system.Count == 0 ? "" : System.Before + string.Join("\n\n", system) + System.After;
        if (SystemPlace == SystemPlace.Front)
            text.Append(joined);
        if (SystemPlace == SystemPlace.Turn)
        {
            if (turns[0].Role != ChatTurn.System && DefaultSystem is not null)
                Append(text, System, DefaultSystem);
            foreach (var turn in turns)
                AppendTurn(text, turn, "");
        }
        else
        {
            var (first, last) = (others.FindIndex(t => t.Role == ChatTurn.User), others.FindLastIndex(t => t.Role == ChatTurn.User));
            var withSystem = SystemPlace switch { SystemPlace.FirstUser => first, SystemPlace.LastUser => last, _ => -1 };
            for (var i = 0; i < others.Count; i++)
                AppendTurn(text, others[i], i == withSystem ? joined : "");
        }

        return text.Append(Prompt).ToString();
    }

    private static void Append(StringBuilder text, (string Before, string After) around, string content) =>
        text.Append(around.Before).Append(content).Append(around.After);

    private void AppendTurn(StringBuilder text, ChatTurn turn, string ahead)
    {
        var isAnswer = turn.Role == ChatTurn.Assistant;
        var content = isAnswer && StripsReasoning ? WithoutReasoning(turn.Content) : turn.Content;
        if (isAnswer ? TrimsAnswers : Trims)
            content = content.Trim();
        Append(text, turn.Role switch { ChatTurn.System => System, ChatTurn.User => User, _ => Assistant }, ahead + content);
    }

    private static string WithoutReasoning(string content)
    {
        const string End = "</think>";
        var end = content.LastIndexOf(End, StringComparison.Ordinal);
        return end < 0 ? content : content[(end + End.Length)..].TrimStart('\n');
    }

    private void Check(IReadOnlyList<ChatTurn> turns, List<ChatTurn> others)
    {
        if (turns.FirstOrDefault(t => t.Role is not (ChatTurn.System or ChatTurn.User or ChatTurn.Assistant)) is { } other)
        {
            throw new ArgumentException(
                $"The format {Name} has no role '{other.Role}': only {ChatTurn.System}, {ChatTurn.User} and {ChatTurn.Assistant}.",
                nameof(turns));
        }

        for (var i = 0; Alternates && i < others.Count; i++)
            if (others[i].Role == ChatTurn.User != (i % 2 == 0))
                throw new ArgumentException($"In the format {Name} user and assistant take turns, and the user begins.", nameof(turns));
        if (others.Count == 0)
            throw new ArgumentException("The conversation has no turn but the system's.", nameof(turns));
    }
}
