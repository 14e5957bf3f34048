using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>
/// Encoded texts as numbers for the inputs of a graph, filled to the length L of the longest; L is 1 at least, as operators that look for a
/// largest number need one.
/// </summary>
/// <param name="texts">B texts, encoded by the model's input.</param>
internal sealed class EncodedTexts(IReadOnlyList<EncodedText> texts)
{
    private readonly int _length = texts.Select(text => text.Length).Append(1).Max();

    /// <summary>The numbers.</summary>
    /// <param name="input">The model's input.</param>
    /// <param name="isPair">Whether the graph reads pairs.</param>
    public IReadOnlyList<OnnxInput> For(TextInput input, bool isPair)
    {
        var inputs = new List<OnnxInput>();
        switch (input)
        {
            case PublishedTextInput { Config: { Windows: not TextWindows.Whole, PaddingId: var padding } }:
                return Windows(padding);
            case PublishedTextInput { Config.PaddingId: var padding }:
                inputs.Add(Integers(TextGraphInputs.Ids, (text, token) => text.Ids!.Ids[token], padding));
                if (isPair)
                    inputs.Add(Integers(TextGraphInputs.Types, (text, token) => text.Ids!.Types?[token] ?? 0));
                break;
            case SubwordInput:
                inputs.Add(Integers(TextGraphInputs.Ids, (text, token) => text.Tokens[token].Rows[0]));
                break;
            default:
                inputs.AddRange(Bags());
                break;
        }

        if (isPair && input is TableTextInput { Config.MarksSharedTokens: var marks })
        {
            inputs.Add(Integers(TextGraphInputs.Types, (text, token) => token >= text.SecondStart ? 1 : 0));
            if (marks)
                inputs.Add(Integers(TextGraphInputs.Shared, (text, token) => text.IsShared(token) ? 1 : 0));
        }

        inputs.Add(Integers(TextGraphInputs.Mask, (_, _) => 1));
        return inputs;
    }

    /// <summary>What a linear branch reads of them, filled up to as many features as the text with most has.</summary>
    public IReadOnlyList<OnnxInput> For(LinearBranch branch)
    {
        var read = texts.Select(text =>
        {
            var (indices, values) = (new List<int>(), new List<float>());
            branch.Transform(text, indices, values);
            return (Indices: indices, Values: values);
        }).ToList();
        var most = read.Select(text => text.Indices.Count).Append(1).Max();
        var (rows, weights) = (new long[texts.Count * most], new float[texts.Count * most]);
        foreach (var (row, (indices, values)) in read.Index())
        {
            for (var i = 0; i < indices.Count; i++)
                (rows[row * most + i], weights[row * most + i]) = (indices[i], values[i]);
        }

        int[] shape = [texts.Count, most];
        return [new OnnxInput(LinearGraphInput.Rows, rows, shape), new OnnxInput(LinearGraphInput.Values, weights, shape)];
    }

    /// <summary>Ids and mask of two sequences for each text, [B, 2, L].</summary>
    private IReadOnlyList<OnnxInput> Windows(long padding)
    {
        var parts = texts.Select(text => text.Ids!)
            .SelectMany(ids => new[] { ids.Ids[..ids.SecondWindow], ids.Ids[ids.SecondWindow..] }).ToList();
        var length = parts.Select(part => part.Length).Append(1).Max();
        var (ids, mask) = (new long[parts.Count * length], new long[parts.Count * length]);
        Array.Fill(ids, padding);
        foreach (var (number, part) in parts.Index())
        {
            mask.AsSpan(number * length, part.Length).Fill(1);
            for (var token = 0; token < part.Length; token++)
                ids[number * length + token] = part[token];
        }

        int[] shape = [texts.Count, 2, length];
        return [new OnnxInput(TextGraphInputs.Ids, ids, shape), new OnnxInput(TextGraphInputs.Mask, mask, shape)];
    }

    private OnnxInput Integers(string name, Func<EncodedText, int, int> of, long padding = 0)
    {
        var values = new long[texts.Count * _length];
        Array.Fill(values, padding);
        for (var row = 0; row < texts.Count; row++)
            for (var token = 0; token < texts[row].Length; token++)
                values[row * _length + token] = of(texts[row], token);
        return new OnnxInput(name, values, [texts.Count, _length]);
    }

    /// <summary>A word counts once as itself, and its n-grams once together.</summary>
    private IEnumerable<OnnxInput> Bags()
    {
        var parts = texts.SelectMany(text => text.Tokens).Select(token => token.Rows.Length).DefaultIfEmpty(1).Max();
        var (rows, weights) = (new long[texts.Count * _length * parts], new float[texts.Count * _length * parts]);
        for (var row = 0; row < texts.Count; row++)
        {
            foreach (var (number, token) in texts[row].Tokens.Index())
            {
                var start = (row * _length + number) * parts;
                for (var part = 0; part < token.Rows.Length; part++)
                    (rows[start + part], weights[start + part]) = (token.Rows[part], part == 0 ? 1f : 1f / (token.Rows.Length - 1));
            }
        }

        int[] shape = [texts.Count, _length, parts];
        return [new OnnxInput(TableTextGraphInput.TableRows, rows, shape), new OnnxInput(TableTextGraphInput.RowWeights, weights, shape)];
    }
}
