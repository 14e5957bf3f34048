using System.Text;
using System.Text.Json;
using Microsoft.ML.Moe.Generation;

namespace Microsoft.ML.Moe.Tests.Generation;

/// <summary>Conversations become the texts that Jinja makes of the templates (jinja2 3.1.6, with trim_blocks and lstrip_blocks).</summary>
public sealed class ChatTemplateTests
{
    private static readonly ChatTurn[] Turns =
    [
        new(ChatTurn.System, "Be brief."), new(ChatTurn.User, "Where to?"), new(ChatTurn.Assistant, " To the sea. "), new(ChatTurn.User, "And then?"),
    ];

    public static TheoryData<string, string, string, string> Templates { get; } = new()
    {
        {
            "ChatML",
            "{% for message in messages %}"
            + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
            "<|im_start|>user\nWhere to?<|im_end|>\n<|im_start|>assistant\n",
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhere to?<|im_end|>\n<|im_start|>"
            + "assistant\n To the sea. <|im_end|>\n<|im_start|>user\nAnd then?<|im_end|>\n<|im_start|>assistant\n"
        },
        {
            "ChatML",
            "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou answer briefly.<|im_end|>\\n' }}"
            + "{% endif %}{% for message in messages %}"
            + "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}"
            + "{{ '<|im_start|>assistant\\n' }}",
            "<|im_start|>system\nYou answer briefly.<|im_end|>\n<|im_start|>user\nWhere to?<|im_end|>\n<|im_start|>assistant\n",
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhere to?<|im_end|>\n<|im_start|>"
            + "assistant\n To the sea. <|im_end|>\n<|im_start|>user\nAnd then?<|im_end|>\n<|im_start|>assistant\n"
        },
        {
            "ChatML",
            """
            {%- for message in messages %}
                {%- set content = message.content %}
                {%- if message.role == "assistant" %}
                    {%- set content = content.split('</think>')[-1].lstrip('\n') %}
                {%- endif %}
                {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}
            {%- endfor %}
            {{- '<|im_start|>assistant\n<think>\n' }}
            """,
            "<|im_start|>user\nWhere to?<|im_end|>\n<|im_start|>assistant\n<think>\n",
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhere to?<|im_end|>\n<|im_start|>"
            + "assistant\n To the sea. <|im_end|>\n<|im_start|>user\nAnd then?<|im_end|>\n<|im_start|>assistant\n<think>\n"
        },
        {
            "Llama 3",
            "{% for message in messages %}"
            + "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['conten"
            + "t'] | trim + '<|eot_id|>' %}{% if loop.first %}{% set content = bos_token + content %}{% endif %}"
            + "{{ content }}{% endfor %}{% if add_generation_prompt %}"
            + "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
            "<s><|start_header_id|>user<|end_header_id|>\n\nWhere to?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>"
            + "user<|end_header_id|>\n\nWhere to?<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
            + "\n\nTo the sea.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd then?<|eot_id|>"
            + "<|start_header_id|>assistant<|end_header_id|>\n\n"
        },
        {
            "Llama 3",
            """
            {{- bos_token }}
            {%- if not date_string is defined %}
                {%- set date_string = "26 Jul 2024" %}
            {%- endif %}
            {%- set system_text = "" %}
            {%- if messages[0]['role'] == 'system' %}
                {%- set system_text = messages[0]['content'] | trim %}
                {%- set messages = messages[1:] %}
            {%- endif %}
            {{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
            {{- "Cutting Knowledge Date: December 2023\n" }}
            {{- "Today Date: " + date_string + "\n\n" }}
            {{- system_text }}
            {{- "<|eot_id|>" }}
            {%- for message in messages %}
                {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}
            {%- endfor %}
            {%- if add_generation_prompt %}
                {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
            {%- endif %}
            """,
            "<s><|start_header_id|>system<|end_header_id|>"
            + "\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nWhere to?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            "<s><|start_header_id|>system<|end_header_id|>"
            + "\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nWhere to?<|eot_id|><|start_header_id|>"
            + "assistant<|end_header_id|>\n\nTo the sea.<|eot_id|><|start_header_id|>user<|end_header_id|>"
            + "\n\nAnd then?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        },
        {
            "Llama 2",
            "{% if messages[0]['role'] == 'system' %}"
            + "{% set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}"
            + "{% set rest = messages[1:] %}{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}"
            + "{% for message in rest %}{% set content = (system if loop.first else '') + message['content'] %}"
            + "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
            + "{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
            "<s>[INST] Where to? [/INST]",
            "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWhere to? [/INST] To the sea. </s><s>[INST] And then? [/INST]"
        },
        {
            "Mistral",
            "{{ bos_token }}{% for message in messages %}"
            + "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}{% endif %}"
            + "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}"
            + "{{ message['content'] + eos_token }}{% endif %}{% endfor %}",
            "<s>[INST] Where to? [/INST]",
            "<s>[INST] Where to? [/INST] To the sea. </s>[INST] And then? [/INST]"
        },
        {
            "Mistral",
            """
            {%- if messages[0]['role'] == 'system' %}
                {%- set system_message = messages[0]['content'] %}
                {%- set turns = messages[1:] %}
            {%- else %}
                {%- set turns = messages %}
            {%- endif %}
            {{- bos_token }}
            {%- for message in turns %}
                {%- if message['role'] == 'user' and loop.first and system_message is defined %}
                    {{- ' [INST] ' + system_message + '\n\n' + message['content'] + ' [/INST]' }}
                {%- elif message['role'] == 'user' %}
                    {{- ' [INST] ' + message['content'] + ' [/INST]' }}
                {%- else %}
                    {{- ' ' + message['content'] + eos_token }}
                {%- endif %}
            {%- endfor %}
            """,
            "<s> [INST] Where to? [/INST]",
            "<s> [INST] Be brief.\n\nWhere to? [/INST]  To the sea. </s> [INST] And then? [/INST]"
        },
        {
            "Mistral",
            """
            {%- if messages[0]["role"] == "system" %}
                {%- set system_message = messages[0]["content"] %}
                {%- set turns = messages[1:] %}
            {%- else %}
                {%- set turns = messages %}
            {%- endif %}
            {{- bos_token }}
            {%- for message in turns %}
                {%- if message["role"] == "user" %}
                    {%- if tools %}{{- "[AVAILABLE_TOOLS] " }}{%- endif %}
                    {%- if loop.last and system_message is defined %}
                        {{- "[INST] " + system_message + "\n\n" + message["content"] + "[/INST]" }}
                    {%- else %}
                        {{- "[INST] " + message["content"] + "[/INST]" }}
                    {%- endif %}
                {%- else %}
                    {{- " " + message["content"]|trim + eos_token }}
                {%- endif %}
            {%- endfor %}
            """,
            "<s>[INST] Where to?[/INST]",
            "<s>[INST] Where to?[/INST] To the sea.</s>[INST] Be brief.\n\nAnd then?[/INST]"
        },
        {
            "Mistral",
            """
            {%- if messages[0]["role"] == "system" %}
                {%- set system_message = messages[0]["content"] %}
                {%- set turns = messages[1:] %}
            {%- else %}
                {%- set turns = messages %}
            {%- endif %}
            {{- bos_token }}
            {%- for message in turns %}
                {%- if message["role"] == "user" %}
                    {%- if tools %}{{- "[AVAILABLE_TOOLS]" }}{%- endif %}
                    {%- if loop.last and system_message is defined %}
                        {{- "[INST]" + system_message + "\n\n" + message["content"] + "[/INST]" }}
                    {%- else %}
                        {{- "[INST]" + message["content"] + "[/INST]" }}
                    {%- endif %}
                {%- else %}
                    {{- message["content"] + eos_token }}
                {%- endif %}
            {%- endfor %}
            """,
            "<s>[INST]Where to?[/INST]",
            "<s>[INST]Where to?[/INST] To the sea. </s>[INST]Be brief.\n\nAnd then?[/INST]"
        },
        {
            "Phi-3",
            "{% for message in messages %}"
            + "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
            "<|user|>\nWhere to?<|end|>\n<|assistant|>\n",
            "<|system|>\nBe brief.<|end|>\n<|user|>\nWhere to?<|end|>\n<|assistant|>\n To the sea. <|end|>"
            + "\n<|user|>\nAnd then?<|end|>\n<|assistant|>\n"
        },
        {
            "GLM-4",
            """
            [gMASK]<sop>{% for item in messages %}<|{{ item['role'] }}|>
            {{ item['content'] }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}
            """,
            "[gMASK]<sop><|user|>\nWhere to?<|assistant|>",
            "[gMASK]<sop><|system|>\nBe brief.<|user|>\nWhere to?<|assistant|>\n To the sea. <|user|>\nAnd then?<|assistant|>"
        },
        {
            "GLM-4",
            """
            [gMASK]<sop>
            {%- for m in messages %}
            {%- if m.role == 'assistant' -%}
            <|assistant|>
            {%- set content = m.content.split('</think>')[-1].lstrip('\n') %}{{ '\n<think></think>' }}
            {{- '\n' + content.strip() }}
            {%- else -%}
            <|{{ m.role }}|>
            {{ m.content }}
            {%- endif -%}
            {%- endfor -%}
            {%- if add_generation_prompt -%}
                <|assistant|>
            {%- endif -%}
            """,
            "[gMASK]<sop><|user|>\nWhere to?<|assistant|>",
            "[gMASK]<sop><|system|>\nBe brief.<|user|>\nWhere to?<|assistant|>"
            + "\n<think></think>\nTo the sea.<|user|>\nAnd then?<|assistant|>"
        },
        {
            "Granite",
            """
            {%- for message in messages %}
                {{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] + '<|end_of_text|>\n' }}
                {%- if loop.last and add_generation_prompt %}
                {{- '<|start_of_role|>assistant<|end_of_role|>' }}
                {%- endif %}
            {%- endfor %}
            """,
            "<|start_of_role|>user<|end_of_role|>Where to?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
            "<|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>\n<|start_of_role|>"
            + "user<|end_of_role|>Where to?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"
            + " To the sea. <|end_of_text|>\n<|start_of_role|>user<|end_of_role|>And then?<|end_of_text|>"
            + "\n<|start_of_role|>assistant<|end_of_role|>"
        },
        {
            "DeepSeek-V2",
            "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
            + "{{ 'User: ' + message['content'] + '\\n\\n' }}{% elif message['role'] == 'assistant' %}"
            + "{{ 'Assistant: ' + message['content'] + eos_token }}{% else %}{{ message['content'] + '\\n\\n' }}"
            + "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
            "<s>User: Where to?\n\nAssistant:",
            "<s>Be brief.\n\nUser: Where to?\n\nAssistant:  To the sea. </s>User: And then?\n\nAssistant:"
        },
        {
            "DeepSeek-V3",
            "{% set ns = namespace(system='') %}{%- for message in messages %}"
            + "{%- if message['role'] == 'system' %}{% set ns.system = message['content'] %}{%- endif %}"
            + "{%- endfor %}{{bos_token}}{{ns.system}}{%- for message in messages %}"
            + "{%- if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}{%- endif %}"
            + "{%- if message['role'] == 'assistant' %}"
            + "{{'<｜Assistant｜>' + message['content'] + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endfor %}"
            + "{% if add_generation_prompt %}{{'<｜Assistant｜>'}}{% endif %}",
            "<s><｜User｜>Where to?<｜Assistant｜>",
            "<s>Be brief.<｜User｜>Where to?<｜Assistant｜> To the sea. <｜end▁of▁sentence｜><｜User｜>And then?<｜Assistant｜>"
        },
        {
            "DeepSeek-V3",
            "{% set ns = namespace(system='') %}{%- for message in messages %}"
            + "{%- if message['role'] == 'system' %}{% set ns.system = message['content'] %}{%- endif %}"
            + "{%- endfor %}{{bos_token}}{{ns.system}}{%- for message in messages %}"
            + "{%- if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}{%- endif %}"
            + "{%- if message['role'] == 'assistant' %}"
            + "{{'<｜Assistant｜>' + message['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>'}}{%- endif %}"
            + "{%- endfor %}{% if add_generation_prompt %}{{'<｜Assistant｜><think>\\n'}}{% endif %}",
            "<s><｜User｜>Where to?<｜Assistant｜><think>\n",
            "<s>Be brief.<｜User｜>Where to?<｜Assistant｜> To the sea. <｜end▁of▁sentence｜><｜User｜>And then?<｜Assistant｜><think>\n"
        },
        {
            "Zephyr",
            """
            {% for message in messages %}
            {% if message['role'] == 'user' %}
            {{ '<|user|>\n' + message['content'] + eos_token }}
            {% else %}
            {{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token }}
            {% endif %}
            {% if loop.last and add_generation_prompt %}
            {{ '<|assistant|>' }}
            {% endif %}
            {% endfor %}
            """,
            "<|user|>\nWhere to?</s>\n<|assistant|>\n",
            "<|system|>\nBe brief.</s>\n<|user|>\nWhere to?</s>\n<|assistant|>\n To the sea. </s>\n<|user|>"
            + "\nAnd then?</s>\n<|assistant|>\n"
        },
        {
            "Tulu",
            "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}"
            + "{{ '<|assistant|>\\n' + message['content'] + eos_token + '\\n' }}{% elif message['role'] == 'user' %}"
            + "{{ '<|user|>\\n' + message['content'] + '\\n' }}{% else %}"
            + "{{ '<|system|>\\n' + message['content'] + '\\n' }}{% endif %}"
            + "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}{% endfor %}",
            "<s><|user|>\nWhere to?\n<|assistant|>\n",
            "<s><|system|>\nBe brief.\n<|user|>\nWhere to?\n<|assistant|>\n To the sea. </s>\n<|user|>\nAnd then?\n<|assistant|>\n"
        },
    };

    [Theory]
    [MemberData(nameof(Templates))]
    public void A_template_is_known_by_its_marks(string name, string template, string one, string all)
    {
        var found = Read(new { chat_template = template, bos_token = "<s>", eos_token = new { content = "</s>" } });

        Assert.Equal(name, found.Name);
        Assert.Equal(one, found.Format([Turns[1]]));
        // the first Mistral has no system
        var takesSystem = all.Contains("Be brief.", StringComparison.Ordinal);
        Assert.Equal(all, found.Format(takesSystem ? Turns : Turns[1..]));
        if (!takesSystem)
            Assert.Contains("user", Assert.Throws<ArgumentException>(() => found.Format(Turns)).Message);
    }

    [Fact]
    public void What_was_thought_before_an_answer_is_left_out_where_the_template_does_so()
    {
        var template = ChatMl("{% set content = content.split('</think>')[-1] %}");
        ChatTurn[] turns = [Turns[1], new(ChatTurn.Assistant, "<think>\nRivers end there.\n</think>\n\nTo the sea."), Turns[3]];

        Assert.Contains("assistant\nTo the sea.<|im_end|>", Read(new { chat_template = template }).Format(turns));
        Assert.Contains("Rivers end there.", Read(new { chat_template = ChatMl("") }).Format(turns));
    }

    [Fact]
    public void A_template_of_its_own_file_counts_and_of_several_the_default_one()
    {
        var config = new { chat_template = new[] { new { name = "tools", template = "?" }, new { name = "default", template = ChatMl("") } } };
        Assert.Equal("ChatML", Read(config).Name);
        var files = new Dictionary<string, byte[]>
        {
            ["tokenizer_config.json"] = JsonSerializer.SerializeToUtf8Bytes(config),
            ["chat_template.jinja"] = "<|start_of_role|>user<|end_of_role|>"u8.ToArray(),
        };
        Assert.Equal("Granite", ChatTemplateFile.Read(files, "here").Name);
    }

    [Theory]
    [InlineData("{% for message in messages %}{{ 'Q: ' + message['content'] }}{% endfor %}")]
    [InlineData("<|im_start|>user<|im_sep|>")]
    [InlineData("<|start|>assistant<|channel|>analysis<|message|><|end|><|assistant|>")]
    [InlineData("{{ '[SYSTEM_PROMPT]' + system + '[/SYSTEM_PROMPT][INST] ' }}")]
    [InlineData("<｜User｜><｜Assistant｜></think>")]
    public void Other_templates_are_refused_with_what_to_give(string template)
    {
        var error = Assert.Throws<InvalidDataException>(() => Read(new { chat_template = template }));
        Assert.Contains("ChatTemplate.Create", error.Message);
        Assert.Contains("ChatML", error.Message);
        Assert.Contains("ChatTemplate.Create", Assert.Throws<InvalidDataException>(() => Read(new { bos_token = "<s>" })).Message);
    }

    [Fact]
    public void Turns_that_have_no_place_are_refused()
    {
        var mistral = Read(new { chat_template = "{{ '[INST] ' + message['content'] + ' [/INST]' }}" });
        Assert.Throws<ArgumentException>(() => mistral.Format([Turns[1], Turns[3]]));
        Assert.Throws<ArgumentException>(() => mistral.Format([]));
        Assert.Throws<ArgumentException>(() => mistral.Format([new("tool", "42")]));
        var granite = Read(new { chat_template = "{{ 'Knowledge Cutoff Date: April 2024.' }}<|start_of_role|>" });
        Assert.Contains("system", Assert.Throws<ArgumentException>(() => granite.Format([Turns[1]])).Message);
        Assert.StartsWith("<|start_of_role|>system", granite.Format(Turns));
    }

    [Fact]
    public void A_format_of_ones_own()
    {
        var own = ChatTemplate.Create("mine", turns => string.Join('|', turns.Select(t => t.Content)), "<end>");

        Assert.Equal("Where to?|And then?", own.Format([Turns[1], Turns[3]]));
        Assert.Equal(["<end>"], own.EndTokens);
    }

    private static string ChatMl(string before) =>
        "{% for message in messages %}" + before + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
        + "{% endfor %}{{ '<|im_start|>assistant\\n' }}";

    private static ChatTemplate Read(object config) => ChatTemplateFile.Read(
        new Dictionary<string, byte[]> { ["tokenizer_config.json"] = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(config)) }, "here");
}
