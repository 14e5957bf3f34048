using System.Text;

namespace Microsoft.ML.Moe.Tests;

/// <summary>A small WordPiece vocabulary that covers part of the words in <see cref="Tables"/>.</summary>
internal static class TestVocabulary
{
    public static readonly string[] Pieces =
    [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rain", "sun", "cloud", "st", "##orm", "wind", "bread", "soup", "app", "##le", "cheese",
        "train", "plane", "tick", "##et", "hotel", "road", ",", "!", "a", "##b", "cafe",
    ];

    public static MemoryStream Stream() => new(Encoding.UTF8.GetBytes(string.Join('\n', Pieces)));
}
