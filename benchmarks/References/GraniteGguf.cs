using System.Text.Json;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>A Granite mixture as llama.cpp reads it: its names, its order of rows, its settings.</summary>
internal static class GraniteGguf
{
    private const string Architecture = "granitemoe";

    /// <summary>Writes the file.</summary>
    /// <param name="path">Path.</param>
    /// <param name="checkpoint">The model.</param>
    /// <param name="type">How matrices are stored; norms and routers are in single precision, as in published files.</param>
    public static void Write(string path, RandomCheckpoint checkpoint, GgufType type)
    {
        var config = checkpoint.Config;
        GgufFile.Write(path, [.. Metadata(config)], [.. checkpoint.Tensors.SelectMany(tensor => Tensors(tensor, config, type))]);
    }

    private static IEnumerable<(string Key, object Value)> Metadata(JsonElement config)
    {
        yield return ("general.architecture", Architecture);
        // no tokenizer: rows are ids
        yield return ("tokenizer.ggml.model", "none");
        yield return (Architecture + ".vocab_size", Whole("vocab_size"));
        yield return (Architecture + ".context_length", Whole("max_position_embeddings"));
        yield return (Architecture + ".embedding_length", Whole("hidden_size"));
        yield return (Architecture + ".block_count", Whole("num_hidden_layers"));
        yield return (Architecture + ".feed_forward_length", Whole("intermediate_size"));
        yield return (Architecture + ".attention.head_count", Whole("num_attention_heads"));
        yield return (Architecture + ".attention.head_count_kv", Whole("num_key_value_heads"));
        yield return (Architecture + ".attention.layer_norm_rms_epsilon", Number("rms_norm_eps"));
        yield return (Architecture + ".rope.freq_base", Number("rope_theta"));
        yield return (Architecture + ".rope.dimension_count", HeadWidth(config));
        yield return (Architecture + ".expert_count", Whole("num_local_experts"));
        yield return (Architecture + ".expert_used_count", Whole("num_experts_per_tok"));
        yield return (Architecture + ".attention.scale", Number("attention_multiplier"));
        yield return (Architecture + ".embedding_scale", Number("embedding_multiplier"));
        yield return (Architecture + ".residual_scale", Number("residual_multiplier"));
        yield return (Architecture + ".logit_scale", Number("logits_scaling"));

        int Whole(string name) => config.GetProperty(name).GetInt32();

        float Number(string name) => config.GetProperty(name).GetSingle();
    }

    private static int HeadWidth(JsonElement config) =>
        config.GetProperty("hidden_size").GetInt32() / config.GetProperty("num_attention_heads").GetInt32();

    private static IEnumerable<GgufTensor> Tensors(RandomTensor tensor, JsonElement config, GgufType type)
    {
        const string Layers = "model.layers.";
        if (!tensor.Name.StartsWith(Layers, StringComparison.Ordinal))
        {
            yield return tensor.Name switch
            {
                "model.embed_tokens.weight" => As("token_embd", type),
                "model.norm.weight" => As("output_norm", GgufType.Float32),
                _ => throw new ArgumentException($"'{tensor.Name}' has no place in the file.", nameof(tensor)),
            };
            yield break;
        }

        var rest = tensor.Name[Layers.Length..];
        var (block, part) = ("blk." + rest[..rest.IndexOf('.')], rest[(rest.IndexOf('.') + 1)..]);
        if (part == "block_sparse_moe.input_linear.weight")
        {
            // each expert's gate, then its values
            yield return Half("ffn_gate_exps", 0);
            yield return Half("ffn_up_exps", 1);
            yield break;
        }

        yield return part switch
        {
            "input_layernorm.weight" => As(block + ".attn_norm", GgufType.Float32),
            "post_attention_layernorm.weight" => As(block + ".ffn_norm", GgufType.Float32),
            "self_attn.q_proj.weight" => Turned("attn_q"),
            "self_attn.k_proj.weight" => Turned("attn_k"),
            "self_attn.v_proj.weight" => As(block + ".attn_v", type),
            "self_attn.o_proj.weight" => As(block + ".attn_output", type),
            "block_sparse_moe.router.layer.weight" => As(block + ".ffn_gate_inp", GgufType.Float32),
            "block_sparse_moe.output_linear.weight" => As(block + ".ffn_down_exps", type),
            _ => throw new ArgumentException($"'{tensor.Name}' has no place in the file.", nameof(tensor)),
        };

        GgufTensor As(string name, GgufType stored) => new(name + ".weight", tensor.Shape, stored, tensor.Bits);

        GgufTensor Half(string name, int half) => new(
            $"{block}.{name}.weight",
            [tensor.Shape[0], tensor.Shape[1] / 2, tensor.Shape[2]],
            type,
            () => Rows(tensor, tensor.Shape[1] / 2, rows => 2 * rows + half));

        // llama.cpp turns neighbours, the published model a number of the first half of a head with its like of the second
        GgufTensor Turned(string name)
        {
            var width = HeadWidth(config);
            return new(
                $"{block}.{name}.weight",
                tensor.Shape,
                type,
                () => Rows(tensor, 1, row => row / width * width + row % 2 * (width / 2) + row % width / 2));
        }
    }

    /// <summary>Runs of rows in another order, or some of them.</summary>
    /// <param name="tensor">What they are taken of.</param>
    /// <param name="length">Rows of a run.</param>
    /// <param name="from">Number of the run that stands at a place.</param>
    private static ushort[] Rows(RandomTensor tensor, int length, Func<int, int> from)
    {
        var bits = tensor.Bits();
        var run = length * tensor.Shape[^1];
        var count = bits.Length / run;
        var places = Enumerable.Range(0, count).TakeWhile(place => from(place) < count).ToArray();
        var result = new ushort[places.Length * run];
        foreach (var place in places)
            bits.AsSpan(from(place) * run, run).CopyTo(result.AsSpan(place * run));
        return result;
    }
}
