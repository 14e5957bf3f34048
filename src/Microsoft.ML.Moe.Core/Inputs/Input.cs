using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// What the rows of a model are: how they are packed into batches, how a batch becomes token vectors, and what a token is called.
/// Safe to use from several threads.
/// </summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
public abstract class Input<TRow>
{
    private protected Input()
    {
    }

    /// <summary>What <c>Config.json</c> holds of it.</summary>
    internal abstract InputConfig Config { get; }

    /// <summary>Number of a row's tokens, padding not counted.</summary>
    internal abstract int TokensOf(TRow row);

    /// <summary>How many tokens' memory a row takes in a forward pass: its own, unless making them takes more.</summary>
    internal virtual int LoadOf(TRow row) => TokensOf(row);

    /// <summary>Number of a row's tokens that were cut off.</summary>
    internal virtual int TokensCutOffOf(TRow row) => 0;

    /// <summary>What a token reads as, for people.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Position of the token in it.</param>
    internal abstract string TextOf(TRow row, int position);

    /// <summary>Number of the tokens that a decoder is to write to a row.</summary>
    internal virtual int TargetTokensOf(TRow row) => 0;

    /// <summary>What a token that a decoder reads of a row's targets reads as, for people.</summary>
    /// <param name="row">The row.</param>
    /// <param name="position">Position of the token: 0 is the start token.</param>
    internal virtual string TextOfTarget(TRow row, int position) =>
        throw new InvalidOperationException("These rows have nothing that a decoder could write.");

    /// <summary>Packs rows for scoring.</summary>
    /// <param name="packing">What the rest of the model asks of batches.</param>
    internal abstract Packer<TRow> CreatePacker(Packing packing);

    /// <summary>The layers that make token vectors of a batch.</summary>
    internal abstract TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder);

    /// <summary>Multiply-adds that make a token's vector; 0 where it is looked up.</summary>
    /// <param name="width">Width of token vectors, D.</param>
    internal virtual double EmbeddingCost(int width) => 0;

    /// <summary>Takes rows into the digest that tells one training from another.</summary>
    internal abstract void AddTo(TrainingDigest digest, IEnumerable<TRow> rows);
}

/// <summary>What a model file tells of an <see cref="Input{TRow}"/>.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(TextInputConfig), "text")]
[JsonDerivedType(typeof(PublishedTextInputConfig), "publishedText")]
[JsonDerivedType(typeof(ImageInputConfig), "image")]
[JsonDerivedType(typeof(PublishedImageInputConfig), "publishedImage")]
[JsonDerivedType(typeof(FeatureInputConfig), "features")]
public abstract record InputConfig
{
    private protected InputConfig()
    {
    }

    /// <summary>Checks that the values fit each other.</summary>
    /// <exception cref="ArgumentException">Two contradict each other; the message names them.</exception>
    internal virtual void Check()
    {
    }
}

/// <summary>What the rest of a model asks of batches.</summary>
/// <param name="PadToLongest">Whether each row is filled to the longest with padding, for routers that let it compete.</param>
/// <param name="KeepsLayouts">
/// Whether a batch's layout stays as it is when the next is packed: for policies and observers that may keep what they are shown.
/// </param>
internal readonly record struct Packing(bool PadToLongest, bool KeepsLayouts);

/// <summary>Packs batches one after the other in the same memory: each is good until the next is packed. For one thread.</summary>
internal abstract class Packer<TRow>
{
    /// <summary>Packs rows.</summary>
    /// <param name="rows">B rows.</param>
    /// <param name="random">Random numbers for noise, and for tokens to hide; null where neither is wanted.</param>
    /// <param name="withNoise">Whether the rows are changed at random, as in training.</param>
    public abstract Batch Pack(IReadOnlyList<TRow> rows, Random? random = null, bool withNoise = false);
}

/// <summary>Rows packed for one forward pass: the tokens of all rows stand one after the other.</summary>
internal abstract class Batch
{
    /// <summary>Where each row's tokens lie.</summary>
    public SequenceLayout Layout { get; protected set; } = new();

    /// <summary>Seeds what is random in the forward pass of training; 0 for scoring.</summary>
    public ulong Seed { get; set; }

    /// <summary>Whether there is nothing in it to learn or to measure.</summary>
    public virtual bool IsEmpty => false;
}

/// <summary>The layers that make token vectors of a batch.</summary>
internal abstract class TokenEmbedding
{
    /// <summary>Token vectors, [T, D].</summary>
    public abstract Tensor Forward(ForwardContext context, Batch batch);
}
