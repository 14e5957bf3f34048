using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Kinds of pieces.</summary>
internal enum SentencePieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>A SentencePiece model file (protocol buffers). Source: google/sentencepiece, src/sentencepiece_model.proto.</summary>
internal sealed class SentencePieceFile
{
    private const int Unigram = 1;
    private const int Bpe = 2;
    private int _modelType = Unigram;

    private SentencePieceFile()
    {
    }

    /// <summary>The pieces by their ids.</summary>
    public List<(string Text, float Score, SentencePieceKind Kind)> Pieces { get; } = [];

    /// <summary>Whether the model is byte-pair encoding; unigram else.</summary>
    public bool IsBpe => _modelType == Bpe;

    /// <summary>Id of the unknown piece.</summary>
    public int UnknownId { get; private set; }

    /// <summary>Table of replacements; empty for none.</summary>
    public byte[] Replacements { get; private set; } = [];

    /// <summary>Whether a space is put before the text.</summary>
    public bool AddsPrefixSpace { get; private set; } = true;

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or of a kind that is not supported.</exception>
    public static SentencePieceFile Read(byte[] bytes, string name)
    {
        var file = new SentencePieceFile();
        var message = new ProtobufReader(bytes, name);
        while (message.Next())
        {
            switch (message.Field)
            {
                case 1:
                    file.Pieces.Add(ReadPiece(message.Message(), name));
                    if (file.Pieces.Count > SubwordModel.MaximumTokens)
                        throw new InvalidDataException($"{name} has more than {SubwordModel.MaximumTokens} pieces.");
                    break;
                case 2:
                    file.ReadTrainer(message.Message());
                    break;
                case 3:
                    file.ReadNormalizer(message.Message());
                    break;
            }
        }

        if (file.Pieces.Count == 0)
            throw new InvalidDataException($"{name} is not a SentencePiece model: it has no pieces.");
        if (file._modelType is not (Unigram or Bpe))
            throw new InvalidDataException(
                $"{name} is a SentencePiece model of type {file._modelType}; unigram (1) and BPE (2) are supported.");
        return file.UnknownId >= 0 && file.UnknownId < file.Pieces.Count
            ? file
            : throw new InvalidDataException($"{name} has the unknown piece {file.UnknownId}, but {file.Pieces.Count} pieces.");
    }

    private static (string Text, float Score, SentencePieceKind Kind) ReadPiece(ProtobufReader message, string name)
    {
        var (text, score, kind) = ("", 0f, SentencePieceKind.Normal);
        while (message.Next())
        {
            switch (message.Field)
            {
                case 1:
                    text = message.Text();
                    break;
                case 2:
                    score = message.Single();
                    break;
                case 3:
                    kind = (SentencePieceKind)message.Integer();
                    break;
            }
        }

        if (text.Length > SubwordModel.MaximumTokenLength || !float.IsFinite(score))
            throw new InvalidDataException($"{name} has a piece of {text.Length} characters with the score {score}.");
        return (text, score, kind);
    }

    private void ReadTrainer(ProtobufReader message)
    {
        while (message.Next())
        {
            if (message.Field == 3)
                _modelType = (int)message.Integer();
            else if (message.Field == 40)
                UnknownId = (int)message.Integer();
        }
    }

    private void ReadNormalizer(ProtobufReader message)
    {
        while (message.Next())
        {
            if (message.Field == 2)
                Replacements = message.Bytes().ToArray();
            else if (message.Field == 3)
                AddsPrefixSpace = message.Integer() != 0;
        }
    }
}
