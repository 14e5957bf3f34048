using System.Text;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// Reads the chat_template of a published model: of <c>chat_template.jinja</c>, or else of <c>tokenizer_config.json</c>, where it is a
/// text, or several with names.
/// </summary>
internal static class ChatTemplateFile
{
    /// <summary>Name of the file that holds the template alone.</summary>
    public const string FileName = "chat_template.jinja";

    private const int MaximumBytes = 1 << 24;

    /// <summary>Reads the template of a folder.</summary>
    /// <exception cref="InvalidDataException">There is none, or none that is known here.</exception>
    public static ChatTemplate Read(string folder)
    {
        var files = new Dictionary<string, byte[]>();
        foreach (var name in new[] { FileName, TokenizerConfig.FileName, TokenizerConfig.MapFileName })
        {
            var file = new FileInfo(Path.Combine(folder, name));
            if (!file.Exists)
                continue;
            files[name] = file.Length <= MaximumBytes
                ? File.ReadAllBytes(file.FullName)
                : throw new InvalidDataException($"{file.FullName} has {file.Length} bytes, more than a chat template can have.");
        }

        return Read(files, folder);
    }

    /// <summary>Reads the template among files by name.</summary>
    /// <param name="files">The files.</param>
    /// <param name="where">What errors call their place.</param>
    /// <exception cref="InvalidDataException">There is none, or none that is known here.</exception>
    public static ChatTemplate Read(IReadOnlyDictionary<string, byte[]> files, string where)
    {
        var source = files.TryGetValue(FileName, out var jinja) ? Encoding.UTF8.GetString(jinja)
            : files.TryGetValue(TokenizerConfig.FileName, out var config)
                ? JsonPart.Read(config, TokenizerConfig.FileName, root => Template(root["chat_template"]))
            : null;
        if (source is null)
        {
            throw new InvalidDataException(
                $"{where} has no chat_template: the model was not made for conversations. {WhatToGive}");
        }

        var tokens = TokenizerConfig.Read(files);
        var format = ChatFormats.Find(source, tokens.Token("bos_token")?.Content ?? "", tokens.Token("eos_token")?.Content ?? "")
            ?? throw new InvalidDataException(
                $"The chat_template of {where} is of none of the formats that are known here ({string.Join(", ", ChatFormats.Names)}). "
                + WhatToGive);
        return ChatTemplate.Create(format.Name, format.Format, format.EndTokens);
    }

    private static string WhatToGive =>
        $"Give the format yourself: {nameof(ChatTemplate)}.{nameof(ChatTemplate.Create)}(\"name\", turns => text).";

    private static string? Template(JsonPart part)
    {
        if (part.IsNull || part.IsText)
            return part.TextOrNull();
        var templates = part.Elements().Select(named => (Name: named["name"].Text(), Template: named["template"].Text())).ToList();
        return templates.Where(t => t.Name == "default").Concat(templates).Select(t => t.Template).FirstOrDefault();
    }
}
