namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>A token that is found in the text before the model sees it.</summary>
/// <param name="Content">The text.</param>
/// <param name="Id">Id that the file gives; the vocabulary's own counts where it has the content.</param>
/// <param name="SingleWord">Whether no word character may touch it.</param>
/// <param name="StripsLeft">Whether it takes the white space before it in.</param>
/// <param name="StripsRight">Whether it takes the white space behind it in.</param>
/// <param name="Normalized">Whether it is looked for, normalized, in normalized text.</param>
/// <param name="Special">Whether decoding can leave it out.</param>
internal sealed record AddedToken(
    string Content,
    int Id = -1,
    bool SingleWord = false,
    bool StripsLeft = false,
    bool StripsRight = false,
    bool Normalized = true,
    bool Special = false);
