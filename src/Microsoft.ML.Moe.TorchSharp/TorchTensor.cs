using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>A tensor of libtorch: a parameter, which is a leaf of autograd's graph, or a result, which belongs to its tape.</summary>
internal sealed class TorchTensor : Tensor
{
    private readonly torch.Tensor _value;
    private readonly bool _isView;
    private bool _requiresGradient;

    /// <summary>Creates a parameter.</summary>
    public TorchTensor(TorchEngine engine, torch.Tensor value, bool sparseRows)
        : base(Array.ConvertAll(value.shape, size => checked((int)size)))
    {
        Engine = engine;
        _value = value;
        RowGradient = sparseRows ? new RowGradient() : null;
        _requiresGradient = true;
    }

    /// <summary>Creates a frozen parameter of values in bfloat16, which are converted when they are multiplied.</summary>
    public TorchTensor(TorchEngine engine, torch.Tensor bfloat16)
        : base(Array.ConvertAll(bfloat16.shape, size => checked((int)size)))
    {
        Engine = engine;
        _value = bfloat16;
        ElementType = ElementType.BFloat16;
    }

    /// <summary>Creates a frozen view of a parameter: the same values.</summary>
    public TorchTensor(TorchTensor source)
        : base(source.Shape)
    {
        source.ThrowIfDisposed();
        Engine = source.Engine;
        _isView = true;
        _value = source._value.detach().DetachFromDisposeScope();
    }

    /// <summary>Creates a tape's tensor.</summary>
    public TorchTensor(TorchTape tape, torch.Tensor value)
        : base(Array.ConvertAll(value.shape, size => checked((int)size)))
    {
        Engine = tape.Engine;
        Tape = tape;
        _value = value;
        _requiresGradient = value.requires_grad;
    }

    public TorchEngine Engine { get; }

    /// <summary>The tape that the tensor belongs to; null for a parameter.</summary>
    public TorchTape? Tape { get; }

    public override ElementType ElementType { get; }

    public override bool RequiresGradient => _requiresGradient;

    /// <summary>The part of the gradient that is kept by rows; null for all but tables with sparse rows.</summary>
    public RowGradient? RowGradient { get; }

    /// <summary>Whether the first dimension is experts, of which those without tokens have no gradient.</summary>
    public bool IsStackOfExperts { get; private set; }

    /// <summary>[E], whether an expert has a gradient; null where all have, if there is any.</summary>
    public torch.Tensor? TouchedE { get; private set; }

    /// <summary>The values in single precision. Of a parameter the tensor itself, unless that is in bfloat16.</summary>
    public torch.Tensor Value => ValueAs(torch.ScalarType.Float32);

    /// <summary>The values in a type: what a matrix product has left in bfloat16 is rounded no second time for the next product.</summary>
    public torch.Tensor ValueAs(torch.ScalarType type)
    {
        ThrowIfDisposed();
        return _value.As(type);
    }

    /// <summary>Rows, or parts of the first dimension, in a type; no others are converted.</summary>
    public torch.Tensor SelectRows(torch.Tensor indices, torch.ScalarType type)
    {
        ThrowIfDisposed();
        return _value.index_select(0, indices).As(type);
    }

    /// <summary>The same of one row.</summary>
    public torch.Tensor SelectRow(int index, torch.ScalarType type)
    {
        ThrowIfDisposed();
        return _value.select(0, index).As(type);
    }

    protected internal override void SetRequiresGradient(bool requiresGradient)
    {
        ThrowIfDisposed();
        if (Tape is not null)
            throw new InvalidOperationException("Whether a tape's tensor requires a gradient follows from what it was made of.");
        if (ElementType == ElementType.BFloat16 && requiresGradient)
            throw new InvalidOperationException("A parameter in bfloat16 is frozen: load it as float32.");
        if (_isView && requiresGradient)
            throw new InvalidOperationException("A parameter that others share cannot be trained.");
        _requiresGradient = requiresGradient;
        _value.requires_grad = requiresGradient;
        ClearGradient();
    }

    public override void CopyTo(Span<float> destination)
    {
        ThrowIfDisposed();
        if (destination.Length < Length)
            throw new ArgumentException($"A tensor {Check.Text(Shape)} does not fit {destination.Length} values.", nameof(destination));
        using var scope = torch.NewDisposeScope();
        DeviceMemory.Download(Value, destination[..Length]);
    }

    internal override void CopyTo(int first, Span<float> destination)
    {
        ThrowIfDisposed();
        CheckPart(first, destination.Length);
        using var scope = torch.NewDisposeScope();
        DeviceMemory.Download(_value.detach().reshape(Length).narrow(0, first, destination.Length).As(torch.ScalarType.Float32), destination);
    }

    internal override ushort[] ToBFloat16Array()
    {
        ThrowIfDisposed();
        return ElementType == ElementType.BFloat16 ? DeviceMemory.ToBits(_value) : base.ToBFloat16Array();
    }

    public override LaterValue ReadLater()
    {
        ThrowIfDisposed();
        if (Length != 1)
            throw new InvalidOperationException($"One value can be read later, not {Length}.");
        var value = Value.detach().DetachFromDisposeScope();
        return new LaterValue(() =>
        {
            using (value)
                return DeviceMemory.ToArray(value)[0];
        });
    }

    public override void CopyFrom(ReadOnlySpan<float> source)
    {
        ThrowIfDisposed();
        if (source.Length != Length)
            throw new ArgumentException($"{source.Length} values for a tensor {Check.Text(Shape)}.", nameof(source));
        if (ElementType == ElementType.BFloat16)
            throw new InvalidOperationException($"A parameter {Check.Text(Shape)} in bfloat16 stays as it is: load it as float32.");
        using var scope = torch.NewDisposeScope();
        using var noGradient = torch.set_grad_enabled(false);
        _value.copy_(torch.CPU.Upload(source.ToArray(), Shape));
    }

    public override void CopyGradientTo(Span<float> destination)
    {
        ThrowIfDisposed();
        if (Tape is not null && RequiresGradient)
            throw new NotSupportedException("This engine keeps the gradients of parameters only, not those of results.");
        var target = destination[..Length];
        using var scope = torch.NewDisposeScope();
        using var noGradient = torch.set_grad_enabled(false);
        var dense = _value.grad;
        if (RowGradient?.Sum(Engine.Device) is { } rows)
        {
            dense = dense?.clone() ?? torch.zeros(_value.shape, device: Engine.Device);
            dense.index_add_(0, rows.RowsU, rows.GradientUD, Scalars.Of(1f));
        }

        if (dense is null)
            target.Clear();
        else
            DeviceMemory.Download(dense, target);
    }

    internal override ParameterGradient? TakeGradient(GradientBuffers buffers)
    {
        ThrowIfDisposed();
        ParameterGradient? gradient = null;
        using (torch.NewDisposeScope())
        using (torch.set_grad_enabled(false))
        {
            if (_value.grad is null && RowGradient?.Sum(Engine.Device) is { } sum)
            {
                var order = Enumerable.Range(0, sum.Rows.Length).OrderBy(i => sum.Rows[i]).ToArray();
                var length = checked((int)sum.GradientUD.numel());
                gradient = new ParameterGradient
                {
                    Rows = [.. order.Select(i => sum.Rows[i])], Length = length, Memory = buffers.RentAtLeast(length),
                };
                DeviceMemory.Download(sum.GradientUD.index_select(0, Engine.Device.Upload(order)), gradient.Values);
            }
            else if (_value.grad is not null)
            {
                var rows = RowGradient is null ? null : Enumerable.Range(0, Shape[0]).ToArray();
                gradient = new ParameterGradient { Rows = rows, Length = Length, Memory = buffers.Rent(Length), Experts = ExpertsWithGradient };
                CopyGradientTo(gradient.Values);
            }
        }

        ClearGradient();
        return gradient;
    }

    internal override void PutGradient(ParameterGradient? gradient, GradientBuffers buffers)
    {
        ThrowIfDisposed();
        ClearGradient();
        if (gradient is null)
            return;
        var values = gradient.Values.ToArray();
        buffers.Return(gradient.Memory);
        using var scope = torch.NewDisposeScope();
        using var noGradient = torch.set_grad_enabled(false);
        if (gradient.Rows is { } rows)
        {
            RowGradient!.Add(rows, Engine.Device.Upload(rows), Engine.Device.Upload(values, [rows.Length, Length / Shape[0]]));
            return;
        }

        _value.grad = Engine.Device.Upload(values, Shape);
        if (IsStackOfExperts && gradient.Experts is { } experts)
            TouchedE = Engine.Device.Upload(experts).DetachFromDisposeScope();
    }

    /// <summary>Makes the gradient zero.</summary>
    public void ClearGradient()
    {
        _value.grad = null;
        RowGradient?.Clear();
        TouchedE?.Dispose();
        TouchedE = null;
    }

    /// <summary>Notes which experts of stacked weights a pass goes through, and so will go backward through.</summary>
    /// <param name="endOfE">[E], number of the first pair behind each expert's.</param>
    public void Touch(torch.Tensor endOfE)
    {
        if (!IsStackOfExperts || !_requiresGradient || !torch.is_grad_enabled())
            return;
        using var noGradient = torch.set_grad_enabled(false);
        var startOfE = torch.cat([torch.zeros([1], endOfE.dtype, endOfE.device), endOfE.narrow(0, 0, endOfE.shape[0] - 1)], 0);
        var touchedE = endOfE.gt(startOfE);
        var before = TouchedE;
        TouchedE = (before is null ? touchedE : touchedE.logical_or(before)).DetachFromDisposeScope();
        before?.Dispose();
    }

    internal override void StackExperts() => IsStackOfExperts = ElementType == ElementType.Float32;

    internal override bool[]? ExpertsWithGradient
    {
        get
        {
            if (!IsStackOfExperts)
                return null;
            if (_value.grad is null || TouchedE is null)
                return [.. Enumerable.Repeat(_value.grad is not null, Shape[0])];
            using var scope = torch.NewDisposeScope();
            return Array.ConvertAll(DeviceMemory.ToArray(TouchedE.to_type(torch.ScalarType.Float32)), flag => flag > 0f);
        }
    }

    /// <summary>Releases the memory of a parameter.</summary>
    public void Release()
    {
        RowGradient?.Dispose();
        TouchedE?.Dispose();
        _value.Dispose();
    }

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(Engine.IsDisposed, Engine);
        if (Tape is not null)
            ObjectDisposedException.ThrowIf(Tape.IsDisposed, Tape);
    }
}
