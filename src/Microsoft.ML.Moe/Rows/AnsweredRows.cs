using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Prompts of a table with the answers that stand in a column, to measure a model that writes by: of an encoder–decoder as targets, of a
/// causal model behind the prompt. An answer ends with the end token.
/// </summary>
/// <param name="prompts">Reads the prompts.</param>
/// <param name="generator">Encodes the answers.</param>
/// <param name="endToken">What an answer of a causal model ends with; null for nothing.</param>
internal sealed class AnsweredRows(RowSource<EncodedText> prompts, TextGenerator generator, int? endToken)
{
    /// <summary>The rows of a table one after the other, and how many characters each answer has.</summary>
    /// <param name="data">The table.</param>
    /// <param name="answerColumnName">Column of the answers, text.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or not text.</exception>
    public IEnumerable<(EncodedText Row, int Characters)> Read(IDataView data, string answerColumnName)
    {
        ArgumentException.ThrowIfNullOrEmpty(answerColumnName);
        var columns = prompts.Find(data.Schema);
        var answer = InputColumns.Texts(data.Schema, answerColumnName)[0];
        return Rows();

        IEnumerable<(EncodedText, int)> Rows()
        {
            using var cursor = data.GetRowCursor(columns.Append(answer));
            var readPrompt = prompts.CreateReader(cursor, columns);
            var readAnswer = new RowText(cursor, [answer]);
            while (cursor.MoveNext())
            {
                var (text, _) = readAnswer.Read();
                yield return (generator.WithAnswer(readPrompt(out _)(), text, endToken), TextScore.CharactersOf(text));
            }
        }
    }
}
