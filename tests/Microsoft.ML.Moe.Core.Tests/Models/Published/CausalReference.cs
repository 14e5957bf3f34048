using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>
/// Causal models of Llama's kind in loops over double precision, straight from <c>config.json</c> and the tensors' published names: what the
/// models are compared with where there is no golden. A bias or a norm is there where its tensor is.
/// </summary>
internal sealed class CausalReference : IDisposable
{
    private readonly JsonObject _json;
    private readonly TensorFiles _files;
    private readonly string _kind;
    private readonly int _heads;
    private readonly int _keyHeads;
    private readonly int _headWidth;
    private readonly Dictionary<string, double[]> _tensors = [];

    public CausalReference(string folder)
    {
        _json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
        _files = TensorFiles.Open(folder);
        _kind = _json["model_type"]!.GetValue<string>();
        _heads = Int("num_attention_heads", 0);
        _keyHeads = Int("num_key_value_heads", _heads);
        _headWidth = Int("head_dim", Int("hidden_size", 0) / _heads);
    }

    public void Dispose() => _files.Dispose();

    /// <summary>Scores of all tokens for what follows each, [T, V].</summary>
    public double[] Scores(int[] ids)
    {
        var isNeoX = _kind == "gpt_neox";
        var words = Tensor(isNeoX ? "embed_in.weight" : "embed_tokens.weight");
        var width = Int("hidden_size", 0);
        double[][] x = [.. ids.Select(id => words.AsSpan(id * width, width).ToArray().Select(v => v * Number("embedding_multiplier", 1)).ToArray())];
        for (var layer = 0; layer < Int("num_hidden_layers", 0); layer++)
            x = isNeoX ? NeoXBlock(x, $"layers.{layer}.") : Block(x, $"layers.{layer}.", layer);
        var output = isNeoX ? "embed_out" : "lm_head";
        return [.. x.SelectMany(token =>
        {
            var normed = Norm(token, isNeoX ? "final_layer_norm" : "norm");
            var scores = Has(output + ".weight") ? Linear(normed, output) : Product(normed, words);
            return scores.Select(s => s / Number("logits_scaling", 1));
        })];
    }

    private double[][] Block(double[][] x, string name, int layer)
    {
        var normsOutput = _kind == "flex_olmo";
        var scale = Number("residual_multiplier", 1);
        var read = normsOutput ? x : [.. x.Select(t => Norm(t, name + "input_layernorm"))];
        var attended = Attention(
            [.. read.Select(t => Linear(t, name + "self_attn.q_proj"))],
            [.. read.Select(t => Linear(t, name + "self_attn.k_proj"))],
            [.. read.Select(t => Linear(t, name + "self_attn.v_proj"))],
            name + "self_attn.", layer);
        return [.. x.Select((token, t) =>
        {
            var given = Linear(attended[t], name + "self_attn.o_proj");
            var middle = Sum(token, normsOutput ? Norm(given, name + "post_attention_layernorm") : given, scale);
            return normsOutput
                ? Sum(middle, Norm(FeedForward(middle, name), name + "post_feedforward_layernorm"))
                : Sum(middle, FeedForward(Norm(middle, name + "post_attention_layernorm"), name), scale);
        })];
    }

    private double[][] NeoXBlock(double[][] x, string name)
    {
        double[][] all = [.. x.Select(t => Linear(Norm(t, name + "input_layernorm"), name + "attention.query_key_value"))];
        double[][] Part(int part) => [.. all.Select(t => Enumerable.Range(0, _heads)
            .SelectMany(h => t.Skip((3 * h + part) * _headWidth).Take(_headWidth)).ToArray())];
        var attended = Attention(Part(0), Part(1), Part(2), name + "attention.", 0);
        return [.. x.Select((token, t) =>
        {
            var middle = Sum(token, Linear(attended[t], name + "attention.dense"));
            var read = Norm(Flag("use_parallel_residual", true) ? token : middle, name + "post_attention_layernorm");
            double[] hidden = [.. Linear(read, name + "mlp.dense_h_to_4h").Select(Activation)];
            return Sum(middle, Linear(hidden, name + "mlp.dense_4h_to_h"));
        })];
    }

    private double[][] Attention(double[][] q, double[][] k, double[][] v, string name, int layer)
    {
        for (var t = 0; t < q.Length; t++)
        {
            (q[t], k[t]) = (Placed(q[t], "q_norm", "query_layernorm", t), Placed(k[t], "k_norm", "key_layernorm", t));
            v[t] = Clipped(v[t]);
        }

        var window = _kind switch
        {
            "mixtral" => Int("sliding_window", int.MaxValue),
            "qwen2" or "qwen3" => Flag("use_sliding_window", false) && layer >= Int("max_window_layers", 28) ? Int("sliding_window", 4096) : int.MaxValue,
            _ => int.MaxValue,
        };
        var scale = _kind.StartsWith("granite", StringComparison.Ordinal) ? Number("attention_multiplier", 1) : 1 / Math.Sqrt(_headWidth);
        return [.. Enumerable.Range(0, q.Length).Select(t => Enumerable.Range(0, _heads).SelectMany(head =>
        {
            var keyHead = head / (_heads / _keyHeads);
            int[] seen = [.. Enumerable.Range(0, t + 1).Where(s => t - s < window)];
            double[] weights = [.. seen.Select(s => Math.Exp(scale * Enumerable.Range(0, _headWidth)
                .Sum(i => q[t][head * _headWidth + i] * k[s][keyHead * _headWidth + i])))];
            return Enumerable.Range(0, _headWidth).Select(i =>
                seen.Zip(weights, (s, w) => w * v[s][keyHead * _headWidth + i]).Sum() / weights.Sum());
        }).ToArray())];

        double[] Placed(double[] vector, string before, string after, int position)
        {
            if (Has($"{name}{before}.weight"))
                vector = Norm(vector, name + before);
            vector = Turned(Clipped(vector), position);
            return Has($"{name}{after}.weight") ? Norm(vector, name + after) : vector;
        }

        double[] Clipped(double[] vector) =>
            Number("clip_qkv", 0) is > 0 and var bound ? [.. vector.Select(e => Math.Clamp(e, -bound, bound))] : vector;
    }

    private double[] Turned(double[] vector, int position)
    {
        var fraction = _kind == "gpt_neox" ? Number("rotary_pct", 0.25) : Number("partial_rotary_factor", _kind == "glm4_moe" ? 0.5 : 1);
        var width = (int)(_headWidth * fraction);
        var theta = Number("rope_theta", _kind switch { "mixtral" => 1e6, "flex_olmo" or "ernie4_5_moe" => 5e5, _ => 1e4 });
        var scaling = _json["rope_scaling"]?.AsObject();
        if (scaling?["alpha"] is { } alpha)
            theta *= Math.Pow(alpha.GetValue<double>(), _headWidth / (_headWidth - 2.0));
        var divisor = scaling?["type"]!.GetValue<string>() == "linear" ? scaling["factor"]!.GetValue<double>() : 1;
        var turned = vector.ToArray();
        var pairs = (width + 1) / 2;
        for (var head = 0; head < vector.Length; head += _headWidth)
        {
            for (var pair = 0; pair < pairs; pair++)
            {
                var (one, other) = _kind == "ernie4_5_moe" ? (head + 2 * pair, head + 2 * pair + 1) : (head + pair, head + pair + pairs);
                var angle = position * Math.Pow(theta, -2.0 * pair / width) / divisor;
                turned[one] = vector[one] * Math.Cos(angle) - vector[other] * Math.Sin(angle);
                turned[other] = vector[other] * Math.Cos(angle) + vector[one] * Math.Sin(angle);
            }
        }

        return turned;
    }

    private double[] FeedForward(double[] x, string name)
    {
        var mlp = name + (Has(name + "mlp.gate_proj.weight") || !Has(name + "block_sparse_moe.gate.weight") ? "mlp." : "block_sparse_moe.");
        if (Has(mlp + "gate_proj.weight"))
            return Gated(x, mlp, "gate_proj", "up_proj", "down_proj");
        if (_kind.StartsWith("granite", StringComparison.Ordinal))
            return Granite(x, name);
        var logits = Product(x, Tensor(mlp + (Has(mlp + "gate.wg.weight") ? "gate.wg.weight" : "gate.weight")));
        double[] scores = [.. logits.Select(l => _kind == "glm4_moe" ? 1 / (1 + Math.Exp(-l)) : Math.Exp(l) / logits.Sum(Math.Exp))];
        double[] choice = [.. scores];
        foreach (var bias in (string[])[mlp + "gate.e_score_correction_bias", mlp + "moe_statics.e_score_correction_bias"])
            if (Has(bias))
                choice = Sum(choice, Tensor(bias));
        if (Int("n_group", 1) is > 1 and var groups)
        {
            var size = choice.Length / groups;
            double Worth(int g) => choice.Skip(g * size).Take(size).OrderDescending().Take(2).Sum();
            int[] kept = [.. Enumerable.Range(0, groups).OrderByDescending(Worth).Take(Int("topk_group", 1))];
            choice = [.. choice.Select((c, e) => kept.Contains(e / size) ? c : double.NegativeInfinity)];
        }

        var k = Int(_kind switch { "hunyuan_v1_moe" => "moe_topk", "ernie4_5_moe" => "moe_k", _ => "num_experts_per_tok" }, 0);
        int[] chosen = [.. Enumerable.Range(0, choice.Length).OrderByDescending(e => choice[e]).Take(k)];
        var normalizes = _kind is "mixtral" or "hunyuan_v1_moe" or "ernie4_5_moe" || Flag("norm_topk_prob", _kind == "glm4_moe");
        var sum = normalizes ? chosen.Sum(e => scores[e]) : 1;
        var y = new double[x.Length];
        foreach (var e in chosen)
        {
            var expert = $"{mlp}experts.{e}.";
            y = Sum(y, _kind == "mixtral" ? Gated(x, expert, "w1", "w3", "w2") : Gated(x, expert, "gate_proj", "up_proj", "down_proj"), scores[e] / sum);
        }

        y = [.. y.Select(v => v * Number("routed_scaling_factor", 1))];
        foreach (var shared in (string[])["shared_expert.", "shared_experts.", "shared_mlp."])
            if (Has($"{mlp}{shared}gate_proj.weight"))
            {
                var gate = Has(mlp + "shared_expert_gate.weight") ? 1 / (1 + Math.Exp(-Product(x, Tensor(mlp + "shared_expert_gate.weight"))[0])) : 1;
                y = Sum(y, Gated(x, mlp + shared, "gate_proj", "up_proj", "down_proj"), gate);
            }

        return y;
    }

    private double[] Granite(double[] x, string name)
    {
        var moe = name + "block_sparse_moe.";
        var logits = Product(x, Tensor(moe + "router.layer.weight"));
        int[] chosen = [.. Enumerable.Range(0, logits.Length).OrderByDescending(e => logits[e]).Take(Int("num_experts_per_tok", 2))];
        var y = new double[x.Length];
        foreach (var e in chosen)
        {
            double[] Of(string tensor) => Tensor(moe + tensor).Chunk(Tensor(moe + tensor).Length / logits.Length).ElementAt(e);
            y = Sum(y, Halves(x, Of("input_linear.weight"), Of("output_linear.weight")), Math.Exp(logits[e]) / chosen.Sum(c => Math.Exp(logits[c])));
        }

        return Has(name + "shared_mlp.input_linear.weight")
            ? Sum(y, Halves(x, Tensor(name + "shared_mlp.input_linear.weight"), Tensor(name + "shared_mlp.output_linear.weight")))
            : y;
    }

    private double[] Halves(double[] x, double[] input, double[] output)
    {
        var both = Product(x, input);
        return Product([.. both.Take(both.Length / 2).Zip(both.Skip(both.Length / 2), (gate, up) => Activation(gate) * up)], output);
    }

    private double[] Gated(double[] x, string name, string gate, string up, string down) =>
        Linear([.. Linear(x, name + gate).Zip(Linear(x, name + up), (g, u) => Activation(g) * u)], name + down);

    private double Activation(double x) => _json["hidden_act"]?.GetValue<string>() switch
    {
        "relu" => Math.Max(x, 0),
        "tanh" => Math.Tanh(x),
        _ => x / (1 + Math.Exp(-x)),
    };

    private double[] Norm(double[] x, string name)
    {
        var gain = Tensor(name + ".weight");
        if (Has(name + ".bias"))
        {
            var (mean, bias) = (x.Average(), Tensor(name + ".bias"));
            var inverse = 1 / Math.Sqrt(x.Average(v => (v - mean) * (v - mean)) + Number("layer_norm_eps", 1e-5));
            return [.. x.Select((v, i) => (v - mean) * inverse * gain[i] + bias[i])];
        }

        var epsilon = Number("rms_norm_eps", _kind is "olmoe" or "mixtral" or "hunyuan_v1_moe" or "ernie4_5_moe" or "glm4_moe" ? 1e-5 : 1e-6);
        return [.. x.Chunk(gain.Length).SelectMany(run =>
            run.Select((v, i) => v / Math.Sqrt(run.Average(r => r * r) + epsilon) * gain[i]))];
    }

    private double[] Linear(double[] x, string name) => Has(name + ".bias")
        ? Sum(Product(x, Tensor(name + ".weight")), Tensor(name + ".bias"))
        : Product(x, Tensor(name + ".weight"));

    private static double[] Product(double[] x, double[] matrix) =>
        [.. matrix.Chunk(x.Length).Select(row => row.Zip(x, (a, b) => a * b).Sum())];

    private static double[] Sum(double[] x, double[] y, double factor = 1) => [.. x.Zip(y, (a, b) => a + factor * b)];

    private bool Has(string tensor) => _files.Tensors.ContainsKey(tensor);

    private double[] Tensor(string name)
    {
        if (_tensors.TryGetValue(name, out var known))
            return known;
        var values = new float[_files.Tensors[name].Elements];
        _files.Read(_files.Tensors[name], 0, values);
        return _tensors[name] = [.. values.Select(v => (double)v)];
    }

    private int Int(string name, int absent) => _json[name]?.GetValue<int>() ?? absent;

    private double Number(string name, double absent) => _json[name]?.GetValue<double>() ?? absent;

    private bool Flag(string name, bool absent) => _json[name]?.GetValue<bool>() ?? absent;
}
