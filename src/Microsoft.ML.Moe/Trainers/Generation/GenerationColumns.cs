using System.Text.Json.Serialization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>Names of the columns of a model that writes text; null where a column is not wanted.</summary>
/// <param name="Input">The prompt; null where it is made of other columns.</param>
/// <param name="Output">The answer.</param>
/// <param name="LogProbability">See <see cref="GenerateTextOptions.LogProbabilityColumnName"/>.</param>
/// <param name="TokenCount">See <see cref="GenerateTextOptions.TokenCountColumnName"/>.</param>
/// <param name="RouterEntropy">See <see cref="GenerateTextOptions.RouterEntropyColumnName"/>.</param>
/// <param name="Answers">See <see cref="GenerateTextOptions.AnswersColumnName"/>.</param>
internal sealed record GenerationColumns(
    string? Input,
    string Output,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? LogProbability = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? TokenCount = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? RouterEntropy = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Answers = null)
{
    /// <summary>The columns that are added, in their order.</summary>
    [JsonIgnore]
    public IReadOnlyList<(string Name, DataViewType Type)> Added
    {
        get
        {
            var added = new List<(string, DataViewType)> { (Output, TextDataViewType.Instance) };
            if (Answers is not null)
                added.Add((Answers, new VectorDataViewType(TextDataViewType.Instance)));
            if (LogProbability is not null)
                added.Add((LogProbability, NumberDataViewType.Single));
            if (TokenCount is not null)
                added.Add((TokenCount, NumberDataViewType.Int32));
            if (RouterEntropy is not null)
                added.Add((RouterEntropy, NumberDataViewType.Single));
            return added;
        }
    }

    /// <summary>Checks that each column has a name of its own.</summary>
    /// <exception cref="ArgumentException">Two have the same, or one has none; the message names the options.</exception>
    public void Check()
    {
        // an answer may take its prompt's place
        new ColumnNames().Read(Input, "inputColumnName").Check();
        new ColumnNames()
            .Write(Output, "outputColumnName")
            .WriteIfNamed(Answers, nameof(GenerateTextOptions.AnswersColumnName))
            .WriteIfNamed(LogProbability, nameof(GenerateTextOptions.LogProbabilityColumnName))
            .WriteIfNamed(TokenCount, nameof(GenerateTextOptions.TokenCountColumnName))
            .WriteIfNamed(RouterEntropy, nameof(GenerateTextOptions.RouterEntropyColumnName))
            .Check();
    }

    /// <summary>The shape of a table with the columns added.</summary>
    public SchemaShape AddTo(SchemaShape input)
    {
        SchemaShape.Column[] added = [.. Added.Select(c => c.Type is VectorDataViewType { ItemType: var item }
            ? ColumnShape.VariableVector(c.Name, item)
            : ColumnShape.Scalar(c.Name, c.Type))];
        return new SchemaShape(input.Where(c => added.All(a => a.Name != c.Name)).Concat(added));
    }
}
