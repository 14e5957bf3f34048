using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Finds the classes that two classifiers have in common: those with the same label value.</summary>
internal static class ClassMatch
{
    /// <summary>Matches classes.</summary>
    /// <param name="labels">Values behind the new label's keys; null when the keys have none.</param>
    /// <param name="count">Number of new classes.</param>
    /// <param name="earlier">Values behind the earlier label's keys; null when the keys had none.</param>
    /// <param name="earlierCount">Number of earlier classes.</param>
    /// <returns>
    /// For each new class the number of the earlier one, −1 where there is none; null when they have nothing in common. Values of
    /// different types are different. Keys without values are compared as they are, if there are as many.
    /// </returns>
    public static int[]? Of(LabelValues? labels, int count, LabelValues? earlier, int earlierCount)
    {
        if (labels is null && earlier is null)
            return count == earlierCount ? [.. Enumerable.Range(0, count)] : null;
        if (labels is null || earlier is null || labels.Type != earlier.Type)
            return null;
        var numberOf = new Dictionary<string, int>(earlierCount);
        for (var i = 0; i < earlierCount; i++)
            numberOf.TryAdd(earlier.Texts[i], i);
        int[] classes = [.. labels.Texts.Select(text => numberOf.GetValueOrDefault(text, -1))];
        return Array.Exists(classes, c => c >= 0) ? classes : null;
    }
}
