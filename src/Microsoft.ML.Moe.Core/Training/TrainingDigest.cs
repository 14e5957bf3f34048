using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Tells one training from another, so that a checkpoint is never taken up by a training it does not belong to.</summary>
internal sealed class TrainingDigest : IDisposable
{
    /// <summary>Why checkpoints may be written by reflection.</summary>
    internal const string NeedsReflection =
        "Checkpoints are for training where there is reflection. In a trimmed or native program the serializer refuses them: nothing is left out in silence.";

    private static readonly JsonSerializerOptions Json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Takes in something that can be written as JSON: options, however deep, each by its name.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = NeedsReflection)]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = NeedsReflection)]
    public TrainingDigest AddJson<T>(T value) => Add<byte>(JsonSerializer.SerializeToUtf8Bytes(value, Json));

    /// <summary>Takes in texts: all of them, and what was kept of them.</summary>
    public TrainingDigest AddTexts(IEnumerable<EncodedText> texts)
    {
        foreach (var text in texts)
        {
            Add<UInt128>([text.SourceHash]).Add<int>([text.SecondStart, text.TokensCutOff, text.FurtherWindows.Count])
                .Add<int>([.. text.Tokens.Select(token => token.Rows[0])]);
            if (text.Ids is { } ids)
                Add<int>(ids.Ids).Add<int>(ids.Types ?? []).Add<int>(ids.Targets ?? []).Add<int>([ids.FirstTarget, ids.SecondWindow]);

            AddTexts(text.FurtherWindows);
        }

        return this;
    }

    /// <summary>Takes in rows with their targets and weights.</summary>
    public TrainingDigest AddRows<TRow>(Input<TRow> input, IReadOnlyList<Example<TRow>> rows)
    {
        input.AddTo(this, rows.Select(row => row.Input));
        return Add<float>([.. rows.Select(row => row.Target)]).Add<float>([.. rows.Select(row => row.Weight)]);
    }

    /// <summary>Takes in images.</summary>
    public TrainingDigest AddImages(IEnumerable<ImagePixels> images)
    {
        foreach (var image in images)
            Add(image.Raw);
        return this;
    }

    /// <summary>Takes in rows of features.</summary>
    public TrainingDigest AddFeatures(IEnumerable<FeatureRow> rows)
    {
        foreach (var row in rows)
        {
            Add<int>([row.Slots]).Add(row.Indices).Add(row.Values);
        }

        return this;
    }

    /// <summary>Takes in parameters' values.</summary>
    public TrainingDigest AddValues(IEnumerable<Parameter> parameters)
    {
        foreach (var parameter in parameters)
            Add<char>(parameter.Name).Add<float>(parameter.Value.ToArray());
        return this;
    }

    /// <summary>The digest of all that was taken in.</summary>
    public override string ToString() => Convert.ToHexString(_hash.GetCurrentHash());

    // the length too, so that nothing can pass from one value to the next
    private TrainingDigest Add<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        _hash.AppendData(BitConverter.GetBytes(values.Length));
        _hash.AppendData(MemoryMarshal.AsBytes(values));
        return this;
    }

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();
}
