using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe;

public abstract partial class MoeClassificationTransformer<TTransformer, TRow>
{
    /// <summary>Precision of the weight matrices when scoring; <see cref="InferencePrecision.Full"/> unless changed.</summary>
    public InferencePrecision Precision => _shared.Model.Precision;

    /// <summary>
    /// A new transformer that scores with the weight matrices in another precision, without training. In bfloat16 single predictions
    /// and small batches of a model that is larger than the processor's caches take 0.7 to 0.9 of the time, and the copy of
    /// the weights that scoring makes takes half the memory; a small model, or large batches, gain nothing. Scores change little; a token whose two best experts were about equal can go to another one, which moves its row's scores by more
    /// (0.17 was seen). Predictions change where two classes were about as likely. The two share the trained weights in memory; each can
    /// be disposed without harm to the other.
    /// </summary>
    /// <param name="precision">The precision. On a GPU models score in single precision whatever is chosen.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="precision"/> is no precision.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    /// <remarks>
    /// It is used like any other. Saving writes the weights as they were trained, and what is loaded scores in full precision: how to score
    /// is the machine's affair, not the model's.
    /// </remarks>
    public TTransformer WithPrecision(InferencePrecision precision) =>
        Share(_columns, classifier => classifier.WithPrecision(precision));
}
