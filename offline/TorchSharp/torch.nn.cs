namespace TorchSharp;

public static partial class torch
{
    public static class nn
    {
        public static class functional
        {
            public static Tensor layer_norm(
                Tensor input, long[] normalized_shape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-05) =>
                throw StandIn.Error;

            public static Tensor scaled_dot_product_attention(
                Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0.0, bool is_casual = false) =>
                throw StandIn.Error;
        }
    }
}
