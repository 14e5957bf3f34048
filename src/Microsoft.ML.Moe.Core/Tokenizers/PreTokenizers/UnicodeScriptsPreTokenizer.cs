namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Splits where the script changes.</summary>
internal sealed class UnicodeScriptsPreTokenizer : TextPreTokenizer
{
    public override void Split(PieceText text) => throw new NotSupportedException();
}
