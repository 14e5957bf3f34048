using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Tells one training from another, so that a checkpoint is never taken up by a training it does not belong to.</summary>
internal sealed class TrainingDigest : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Takes in something that can be written as JSON.</summary>
    public TrainingDigest AddJson<T>(T value)
    {
        _hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(value));
        return this;
    }

    /// <summary>Takes in texts.</summary>
    public TrainingDigest AddTexts(IEnumerable<EncodedText> texts)
    {
        foreach (var text in texts)
        {
            foreach (var token in text.Tokens)
                _hash.AppendData(BitConverter.GetBytes(token.Rows[0]));
            if (text.Ids is { } ids)
            {
                _hash.AppendData(MemoryMarshal.AsBytes<int>(ids.Ids));
                _hash.AppendData(MemoryMarshal.AsBytes<int>(ids.Types));
                _hash.AppendData(MemoryMarshal.AsBytes<int>(ids.Targets));
                _hash.AppendData(BitConverter.GetBytes(ids.FirstTarget));
            }

            _hash.AppendData(Encoding.UTF8.GetBytes("\n"));
        }

        return this;
    }

    /// <summary>Takes in rows with their targets and weights.</summary>
    public TrainingDigest AddRows<TRow>(Input<TRow> input, IReadOnlyList<Example<TRow>> rows)
    {
        input.AddTo(this, rows.Select(row => row.Input));
        return AddJson(rows.Select(row => row.Target)).AddJson(rows.Select(row => row.Weight));
    }

    /// <summary>Takes in images.</summary>
    public TrainingDigest AddImages(IEnumerable<ImagePixels> images)
    {
        foreach (var image in images)
            _hash.AppendData(image.Raw);
        return this;
    }

    /// <summary>Takes in parameters' values.</summary>
    public TrainingDigest AddValues(IEnumerable<Parameter> parameters)
    {
        foreach (var parameter in parameters)
            _hash.AppendData(MemoryMarshal.AsBytes<float>(parameter.Value.ToArray()));
        return this;
    }

    /// <summary>The digest of all that was taken in.</summary>
    public override string ToString() => Convert.ToHexString(_hash.GetCurrentHash());

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();
}
