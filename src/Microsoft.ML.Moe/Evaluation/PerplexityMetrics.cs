using System.Globalization;
using System.Text;
using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Result of <see cref="TextEvaluation.Perplexity"/>, of all rows together: long texts count more than short ones.</summary>
/// <param name="Perplexity">e to the mean negative log-probability of a token.</param>
/// <param name="BitsPerToken">Mean negative log-probability of a token, base 2.</param>
/// <param name="BitsPerCharacter">
/// Negative log-probability of all texts, base 2, by their Unicode characters (code points); null without a column of texts.
/// </param>
/// <param name="BitsPerByte">The same by their bytes in UTF-8; null without a column of texts.</param>
/// <param name="Tokens">Number of tokens.</param>
/// <param name="Characters">Number of Unicode characters; null without a column of texts.</param>
/// <param name="Rows">Number of rows.</param>
public sealed record PerplexityMetrics(
    double Perplexity,
    double BitsPerToken,
    double? BitsPerCharacter,
    double? BitsPerByte,
    long Tokens,
    long? Characters,
    int Rows)
{
    /// <summary>Perplexity and, where known, bits per character, for people.</summary>
    public override string ToString()
    {
        var bits = BitsPerCharacter is { } b ? string.Create(CultureInfo.InvariantCulture, $", {b:F4} bits per character") : "";
        return string.Create(CultureInfo.InvariantCulture, $"Perplexity {Perplexity:F4}{bits}, {Tokens} tokens, {Rows} rows");
    }
}

/// <summary>How well a model foresees texts.</summary>
internal static class PerplexityProtocol
{
    // Sums of rounded logarithms may come out over 0 by so much.
    private const double Rounding = 1e-3;

    /// <summary>Sums up.</summary>
    /// <param name="rows">Log-probability (natural), tokens and text of each row.</param>
    /// <param name="columns">What messages call the columns.</param>
    /// <param name="hasText">Whether there are texts.</param>
    /// <exception cref="InvalidOperationException">A number is out of its range, or there are no tokens or characters.</exception>
    public static PerplexityMetrics Run(
        IReadOnlyList<(double LogProbability, double Tokens, string Text)> rows,
        (string LogProbability, string Tokens, string? Text) columns,
        bool hasText)
    {
        var (nats, tokens, characters, bytes) = (0.0, 0L, 0L, 0L);
        for (var i = 0; i < rows.Count; i++)
        {
            var row = rows[i];
            if (row.LogProbability > Rounding)
                throw Wrong(i, row.LogProbability, columns.LogProbability, "a log-probability is at most 0");
            if (row.Tokens is < 0 or > int.MaxValue || row.Tokens != Math.Floor(row.Tokens))
                throw Wrong(i, row.Tokens, columns.Tokens, "a number of tokens is whole and at least 0");
            nats -= row.LogProbability;
            tokens += (long)row.Tokens;
            characters += TextScore.CharactersOf(row.Text);
            bytes += Encoding.UTF8.GetByteCount(row.Text);
        }

        if (tokens == 0)
            throw new InvalidOperationException($"No row has a token in column '{columns.Tokens}'.");
        if (hasText && characters == 0)
            throw new InvalidOperationException($"No row has text in column '{columns.Text}'.");
        var bits = nats / Math.Log(2);
        return new PerplexityMetrics(
            Math.Exp(nats / tokens),
            bits / tokens,
            hasText ? bits / characters : null,
            hasText ? bits / bytes : null,
            tokens,
            hasText ? characters : null,
            rows.Count);
    }

    private static InvalidOperationException Wrong(int row, double value, string column, string rule) => new(
        string.Create(CultureInfo.InvariantCulture, $"Row {row + 1} has the value {value} in column '{column}'; {rule}."));
}
