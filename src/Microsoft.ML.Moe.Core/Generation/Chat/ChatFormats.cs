using System.Globalization;
using System.Text.RegularExpressions;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// The formats of the published families, found by marks in their templates. Source: the chat_template of the models that are named at
/// each; what they look like with tools is left out.
/// </summary>
internal static partial class ChatFormats
{
    private const StringComparison Ordinal = StringComparison.Ordinal;

    private static readonly (string Name, Func<Source, ChatFormat?> Find)[] Formats =
    [
        ("ChatML", ChatMl), ("Llama 3", Llama3), ("Llama 2", Llama2), ("Mistral", Mistral), ("Phi-3", Phi3), ("GLM-4", Glm4),
        ("Granite", Granite), ("DeepSeek-V3", DeepSeek3), ("DeepSeek-V2", DeepSeek2), ("Zephyr", Zephyr), ("Tulu", Tulu),
    ];

    /// <summary>Names of the formats.</summary>
    public static IEnumerable<string> Names => Formats.Select(f => f.Name);

    /// <summary>The format of a template; null where it is none of these.</summary>
    /// <param name="template">The template, in Jinja.</param>
    /// <param name="beginning">Text of the token that texts begin with; "" for none.</param>
    /// <param name="end">Text of the token that texts end with; "" for none.</param>
    public static ChatFormat? Find(string template, string beginning, string end)
    {
        // the same text however it is written
        var text = template.Replace("\\n", "\n", Ordinal).Replace('"', '\'');
        text = Content().Replace(Plus().Replace(text, "+"), "message['content']");
        var source = new Source(text, beginning, end);
        return Formats.Select(format => format.Find(source)).FirstOrDefault(format => format is not null);
    }

    // Qwen, and many others
    private static ChatFormat? ChatMl(Source source)
    {
        if (!source.Has("<|im_start|>") || !source.Has("<|im_end|>") || source.Has("<|im_sep|>") || source.Has("<end_of_utterance>"))
            return null;
        if (ChatMlPrompt().Matches(source.Text).LastOrDefault() is not { } prompt)
            return null;
        return new ChatFormat
        {
            Name = "ChatML",
            Start = source.Start,
            System = ("<|im_start|>system\n", "<|im_end|>\n"),
            User = ("<|im_start|>user\n", "<|im_end|>\n"),
            Assistant = ("<|im_start|>assistant\n", "<|im_end|>\n"),
            Prompt = prompt.Groups["prompt"].Value,
            DefaultSystem = ChatMlSystem().Match(source.Text) is { Success: true } system ? system.Groups["system"].Value : null,
            Trims = source.Trims,
            TrimsAnswers = source.Trims,
            StripsReasoning = source.Has("</think>"),
            EndTokens = ["<|im_end|>"],
        };
    }

    // Llama 3; 3.1 and later always say dates first
    private static ChatFormat? Llama3(Source source)
    {
        if (!source.Has("<|start_header_id|>") || !source.Has("<|eot_id|>"))
            return null;
        var dates = "";
        if (source.Has("Cutting Knowledge Date: December 2023"))
        {
            var date = source.Has("strftime_now") ? DateTime.Now.ToString("dd MMM yyyy", CultureInfo.InvariantCulture)
                : DateText().Match(source.Text) is { Success: true } given ? given.Groups["date"].Value
                : null;
            if (date is null)
                return null;
            dates = $"Cutting Knowledge Date: December 2023\nToday Date: {date}\n\n";
        }

        return new ChatFormat
        {
            Name = "Llama 3",
            Start = source.Start,
            System = ("<|start_header_id|>system<|end_header_id|>\n\n" + dates, "<|eot_id|>"),
            User = ("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
            Assistant = ("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"),
            Prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n",
            DefaultSystem = dates.Length > 0 ? "" : null,
            Trims = source.Trims,
            TrimsAnswers = source.Trims,
            EndTokens = ["<|eot_id|>", "<|eom_id|>"],
        };
    }

    private static ChatFormat? Llama2(Source source)
    {
        if (!source.Has("[INST]") || !source.Has("<<SYS>>"))
            return null;
        var beginsTurns = source.Has("bos_token+'[INST]");
        return new ChatFormat
        {
            Name = "Llama 2",
            Start = beginsTurns ? "" : source.Start,
            System = ("<<SYS>>\n", "\n<</SYS>>\n\n"),
            User = ((beginsTurns ? source.Beginning : "") + "[INST] ", " [/INST]"),
            Assistant = (" ", " " + source.End),
            SystemPlace = SystemPlace.FirstUser,
            Trims = true,
            TrimsAnswers = true,
            Alternates = true,
        };
    }

    // Mixtral 8x7B, 8x22B; four ways to set spaces
    private static ChatFormat? Mistral(Source source)
    {
        if (!source.Has("[INST]") || source.Has("<<SYS>>") || source.Has("[SYSTEM_PROMPT]"))
            return null;
        var hasTools = source.Has("[AVAILABLE_TOOLS]");
        var user = source.Has("' [INST] '+") ? (" [INST] ", " [/INST]")
            : source.Has("'[INST] '+") && source.Has("+' [/INST]'") ? ("[INST] ", " [/INST]")
            : source.Has("'[INST] '+") && source.Has("+'[/INST]'") ? ("[INST] ", "[/INST]")
            : source.Has("'[INST]'+") && source.Has("+'[/INST]'") ? ("[INST]", "[/INST]")
            : default((string, string)?);
        return user is not { } around ? null : new ChatFormat
        {
            Name = "Mistral",
            Start = source.Start,
            System = ("", "\n\n"),
            User = around,
            Assistant = (source.Has("' '+message['content']") ? " " : "", source.End),
            SystemPlace = !source.Has("system_message") ? SystemPlace.None : hasTools ? SystemPlace.LastUser : SystemPlace.FirstUser,
            TrimsAnswers = source.Trims,
            Alternates = true,
        };
    }

    // Phi-3, Phi-3.5-MoE
    private static ChatFormat? Phi3(Source source) =>
        !source.Has("<|end|>") || !source.Has("<|assistant|>") || source.Has("<|channel|>") || !PhiLine().IsMatch(source.Text)
            ? null
            : new ChatFormat
            {
                Name = "Phi-3",
                Start = source.Start,
                System = ("<|system|>\n", "<|end|>\n"),
                User = ("<|user|>\n", "<|end|>\n"),
                Assistant = ("<|assistant|>\n", "<|end|>\n"),
                Prompt = "<|assistant|>\n",
                SystemPlace = source.Has("system") || source.Has("'<|'+message['role']") ? SystemPlace.Turn : SystemPlace.None,
                EndTokens = ["<|end|>"],
            };

    // GLM-4, GLM-4.5
    private static ChatFormat? Glm4(Source source)
    {
        if (!source.Has("[gMASK]<sop>"))
            return null;
        var thinks = source.Has("<think></think>");
        return new ChatFormat
        {
            Name = "GLM-4",
            Start = "[gMASK]<sop>",
            System = ("<|system|>\n", ""),
            User = ("<|user|>\n", ""),
            Assistant = (thinks ? "<|assistant|>\n<think></think>\n" : "<|assistant|>\n", ""),
            Prompt = !thinks && source.Has("<|assistant|>\n{%") ? "<|assistant|>\n" : "<|assistant|>",
            TrimsAnswers = thinks,
            StripsReasoning = thinks,
            EndTokens = ["<|endoftext|>", "<|user|>", "<|observation|>"],
        };
    }

    private static ChatFormat? Granite(Source source) => !source.Has("<|start_of_role|>") ? null : new ChatFormat
    {
        Name = "Granite",
        Start = source.Start,
        System = ("<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"),
        User = ("<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"),
        Assistant = ("<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>\n"),
        Prompt = "<|start_of_role|>assistant<|end_of_role|>",
        NeedsSystem = source.Has("Knowledge Cutoff Date") || source.Has("system_message")
            ? "this model's own template makes one up, with the date"
            : null,
        EndTokens = ["<|end_of_text|>"],
    };

    // DeepSeek-V3, R1
    private static ChatFormat? DeepSeek3(Source source) =>
        !source.Has("<｜User｜>") || !source.Has("<｜Assistant｜>") || source.Has("<｜Assistant｜></think>")
        || source.Has("thinking is defined")
            ? null
            : new ChatFormat
            {
                Name = "DeepSeek-V3",
                Start = source.Start,
                User = ("<｜User｜>", ""),
                Assistant = ("<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
                Prompt = source.Has("<｜Assistant｜><think>\n") ? "<｜Assistant｜><think>\n" : "<｜Assistant｜>",
                SystemPlace = SystemPlace.Front,
                StripsReasoning = source.Has("</think>"),
                EndTokens = ["<｜end▁of▁sentence｜>"],
            };

    // DeepSeek-V2, DeepSeekMoE
    private static ChatFormat? DeepSeek2(Source source) =>
        !source.Has("'User: '+message['content']+'\n\n'") || !source.Has("'Assistant: '+message['content']+eos_token")
        ? null
        : new ChatFormat
        {
            Name = "DeepSeek-V2",
            Start = source.Start,
            System = ("", "\n\n"),
            User = ("User: ", "\n\n"),
            Assistant = ("Assistant: ", source.End),
            Prompt = "Assistant:",
        };

    // Zephyr, JetMoE-chat; the lines of the template are lines of the text
    private static ChatFormat? Zephyr(Source source)
    {
        if (!source.Has("'<|user|>\n'+message['content']+eos_token"))
            return null;
        var hasLines = ZephyrLine().IsMatch(source.Text);
        var after = source.End + (hasLines ? "\n" : "");
        return new ChatFormat
        {
            Name = "Zephyr",
            Start = source.Start,
            System = ("<|system|>\n", after),
            User = ("<|user|>\n", after),
            Assistant = ("<|assistant|>\n", after),
            Prompt = hasLines || source.Has("'<|assistant|>\n' ") ? "<|assistant|>\n" : "<|assistant|>",
        };
    }

    // OLMoE-Instruct, OLMo 2, Tulu
    private static ChatFormat? Tulu(Source source) =>
        !source.Has("<|user|>\n'+message['content']+'\n'") || !source.Has("<|assistant|>\n'+message['content']+eos_token")
        ? null
        : new ChatFormat
        {
            Name = "Tulu",
            Start = source.Start,
            System = ("<|system|>\n", "\n"),
            User = ("<|user|>\n", "\n"),
            Assistant = ("<|assistant|>\n", source.End + "\n"),
            Prompt = "<|assistant|>\n",
        };

    [GeneratedRegex(@"message\['content'\]\s*(\|\s*trim|\.strip\(\))")]
    private static partial Regex TrimmedContent();

    [GeneratedRegex(@"\s*\+\s*")]
    private static partial Regex Plus();

    [GeneratedRegex(@"\b(message|item|m)(\.content|\['content'\])")]
    private static partial Regex Content();

    [GeneratedRegex(@"(?<prompt><\|im_start\|>assistant\n(<think>\n?)?)'")]
    private static partial Regex ChatMlPrompt();

    [GeneratedRegex(@"'<\|im_start\|>system\n(?<system>[^'{]+?)<\|im_end\|>\n'")]
    private static partial Regex ChatMlSystem();

    [GeneratedRegex(@"date_string = '(?<date>[^']+)'")]
    private static partial Regex DateText();

    [GeneratedRegex(@"<\|user\|>('\+')?\n|'\|>('\+')?\n")]
    private static partial Regex PhiLine();

    [GeneratedRegex(@"\+eos_token(\+'\n'|\s*\}\}\n)")]
    private static partial Regex ZephyrLine();

    /// <summary>A template, with line feeds for their escapes, single quotes alone and no spaces around +.</summary>
    private sealed record Source(string Text, string Beginning, string End)
    {
        /// <summary>What a text begins with: the beginning token, where the template names it.</summary>
        public string Start => Has("bos_token") ? Beginning : "";

        /// <summary>Whether it takes white space around contents away.</summary>
        public bool Trims => TrimmedContent().IsMatch(Text);

        public bool Has(string mark) => Text.Contains(mark, Ordinal);
    }
}
