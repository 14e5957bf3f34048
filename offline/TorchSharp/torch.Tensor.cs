namespace TorchSharp;

public static partial class torch
{
    public class Tensor : IDisposable
    {
        internal Tensor() => throw StandIn.Error;

        public ScalarType dtype => throw StandIn.Error;

        public Device device => throw StandIn.Error;

        public long NumberOfElements => throw StandIn.Error;

        public Span<byte> bytes => throw StandIn.Error;

        public Tensor? grad
        {
            get => throw StandIn.Error;
            set => throw StandIn.Error;
        }

        public bool requires_grad
        {
            get => throw StandIn.Error;
            set => throw StandIn.Error;
        }

        public long[] shape => throw StandIn.Error;

        public Tensor DetachFromDisposeScope() => throw StandIn.Error;

        public void Dispose() => throw StandIn.Error;

        public Tensor add(Scalar scalar) => throw StandIn.Error;

        public Tensor add(Tensor target) => throw StandIn.Error;

        public Tensor add_(Scalar scalar) => throw StandIn.Error;

        public Tensor add_(Tensor target, Scalar alpha) => throw StandIn.Error;

        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) => throw StandIn.Error;

        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) => throw StandIn.Error;

        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) => throw StandIn.Error;

        public Tensor alias() => throw StandIn.Error;

        public Tensor argmax(long dim, bool keepdim = false) => throw StandIn.Error;

        public void backward() => throw StandIn.Error;

        public Tensor bernoulli_(double p = 0.5, Generator? generator = null) => throw StandIn.Error;

        public Tensor bmm(Tensor batch2) => throw StandIn.Error;

        public Tensor clone() => throw StandIn.Error;

        public Tensor contiguous() => throw StandIn.Error;

        public Tensor copy_(Tensor source, bool nonBlocking = false) => throw StandIn.Error;

        public Tensor cpu() => throw StandIn.Error;

        public Tensor cumsum(long dim, ScalarType? type = null) => throw StandIn.Error;

        public Tensor detach() => throw StandIn.Error;

        public Tensor div(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => throw StandIn.Error;

        public Tensor div(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => throw StandIn.Error;

        public Tensor div_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => throw StandIn.Error;

        public Tensor eq(Scalar target) => throw StandIn.Error;

        public Tensor exp() => throw StandIn.Error;

        public Tensor expand(params long[] sizes) => throw StandIn.Error;

        public Tensor gather(long dim, Tensor index) => throw StandIn.Error;

        public Tensor ge(Scalar target) => throw StandIn.Error;

        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) => throw StandIn.Error;

        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => throw StandIn.Error;

        public Tensor index_copy(long dim, Tensor index, Tensor source) => throw StandIn.Error;

        public Tensor index_fill_(long dim, Tensor index, Scalar value) => throw StandIn.Error;

        public Tensor index_copy_(long dim, Tensor index, Tensor source) => throw StandIn.Error;

        public Tensor index_select(long dim, Tensor index) => throw StandIn.Error;

        public Tensor le(Scalar target) => throw StandIn.Error;

        public Tensor log() => throw StandIn.Error;

        public Tensor log_softmax(long dim, ScalarType? dtype = null) => throw StandIn.Error;

        public Tensor logical_and(Tensor other) => throw StandIn.Error;

        public Tensor logical_not() => throw StandIn.Error;

        public Tensor logical_or(Tensor other) => throw StandIn.Error;

        public Tensor logsumexp(long dim, bool keepdim = false) => throw StandIn.Error;

        public Tensor lt(Tensor target) => throw StandIn.Error;

        public Tensor masked_fill(Tensor mask, Scalar value) => throw StandIn.Error;

        public Tensor matmul(Tensor target) => throw StandIn.Error;

        public (Tensor values, Tensor indexes) max(long dim, bool keepdim = false) => throw StandIn.Error;

        public Tensor mm(Tensor target) => throw StandIn.Error;

        public Tensor mul(Scalar target) => throw StandIn.Error;

        public Tensor mul(Tensor target) => throw StandIn.Error;

        public Tensor mul_(Scalar target) => throw StandIn.Error;

        public Tensor mul_(Tensor target) => throw StandIn.Error;

        public Tensor narrow(long dim, long start, long length) => throw StandIn.Error;

        public Tensor neg() => throw StandIn.Error;

        public Tensor norm(float p = 2) => throw StandIn.Error;

        public Tensor permute(params long[] permutation) => throw StandIn.Error;

        public Tensor pin_memory() => throw StandIn.Error;

        public Tensor reciprocal() => throw StandIn.Error;

        public Tensor relu() => throw StandIn.Error;

        public Tensor remainder(Scalar scalar) => throw StandIn.Error;

        public Tensor requires_grad_(bool requires_grad = true) => throw StandIn.Error;

        public Tensor reshape(params long[] shape) => throw StandIn.Error;

        public Tensor scatter_(long dim, Tensor index, Tensor src) => throw StandIn.Error;

        public Tensor sigmoid() => throw StandIn.Error;

        public Tensor select(long dim, long index) => throw StandIn.Error;

        public Tensor silu() => throw StandIn.Error;

        public Tensor softmax(long dim, ScalarType? dtype = null) => throw StandIn.Error;

        public (Tensor Values, Tensor Indices) sort(long dim = -1, bool descending = false, bool stable = false) => throw StandIn.Error;

        public Tensor[] split(long[] sizes, long dim = 0) => throw StandIn.Error;

        public Tensor sqrt() => throw StandIn.Error;

        public Tensor sqrt_() => throw StandIn.Error;

        public Tensor square() => throw StandIn.Error;

        public Tensor squeeze(long? dim = null) => throw StandIn.Error;

        public Tensor sub(Tensor target) => throw StandIn.Error;

        public Tensor sub_(Tensor target) => throw StandIn.Error;

        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => throw StandIn.Error;

        public Tensor sum(ScalarType? type = null) => throw StandIn.Error;

        public Tensor tanh() => throw StandIn.Error;

        public Tensor to(Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) => throw StandIn.Error;

        public Tensor to_type(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            throw StandIn.Error;

        public Tensor transpose(long dim0, long dim1) => throw StandIn.Error;

        public Tensor[] unbind(long dimension = 0) => throw StandIn.Error;

        public Tensor unsqueeze(long dim) => throw StandIn.Error;
    }
}
