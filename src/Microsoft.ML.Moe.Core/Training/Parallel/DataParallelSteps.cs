using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Computes the gradient of a batch on all ranks: each that of its shards, added in a binary tree, whose upper levels are exchanges between ranks by
/// recursive doubling (Thakur, Rabenseifner and Gropp 2005, "Optimization of collective communication operations in MPICH"). All ranks end with the
/// same bits.
/// </summary>
/// <param name="parallel">The ranks.</param>
/// <param name="parameters">Of the model.</param>
/// <param name="stop">Asks this rank to stop.</param>
internal sealed class DataParallelSteps(DataParallel parallel, IReadOnlyList<Parameter> parameters, CancellationToken stop) : IDisposable
{
    private const int ProbeSteps = 20;
    private const int HeaderBytes = 1 + sizeof(double) + sizeof(int);
    private readonly ICommunicator _ranks = parallel.Communicator;
    private readonly CancellationTokenSource _agreed = new();
    private readonly GradientBuffers _buffers = new();
    private readonly Stopwatch _computing = new();
    private readonly Stopwatch _exchanging = new();
    private byte[] _sent = [];
    private byte[] _received = [];
    private int _steps;

    /// <summary>Is cancelled after the step before which any rank was asked to stop, on all ranks alike.</summary>
    public CancellationToken Stop => _agreed.Token;

    /// <summary>Computes the gradient of a batch, and puts it into the parameters.</summary>
    /// <param name="accumulate">Adds the gradient of a shard to the parameters', and tells its share of the batch's loss.</param>
    /// <returns>The batch's loss.</returns>
    public double Accumulate(Func<int, double> accumulate)
    {
        var own = parallel.Shards / _ranks.Size;
        _computing.Start();
        var sum = Add(own * _ranks.Rank, own, accumulate);
        _computing.Stop();
        _exchanging.Start();
        var asked = stop.IsCancellationRequested;
        for (var distance = 1; distance < _ranks.Size; distance *= 2)
            sum = Add(sum, Exchange(_ranks.Rank ^ distance, sum, ref asked));
        _exchanging.Stop();
        foreach (var (parameter, gradient) in parameters.Zip(sum.Gradients))
        {
            parameter.Value.PutGradient(gradient);
            _buffers.Return(gradient);
        }

        _steps++;
        if (asked)
        {
            parallel.HasStopped = true;
            _agreed.Cancel();
        }

        return sum.Loss;
    }

    /// <summary>After some steps, once, what the ranks gain; null before and after.</summary>
    public string? Probe()
    {
        if (_steps != ProbeSteps || _ranks.Size == 1)
            return null;
        var (compute, exchange) = (_computing.Elapsed.TotalMilliseconds / _steps, _exchanging.Elapsed.TotalMilliseconds / _steps);
        var gain = _ranks.Size * compute / (compute + exchange);
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"{_ranks.Size} ranks: a step takes {compute + exchange:0.0} ms, {exchange:0.0} ms of it exchange and waiting; {gain:0.0} times as fast as one rank ");
        return text + "with as many threads.";
    }

    public void Dispose() => _agreed.Dispose();

    private BatchGradient Add(int first, int count, Func<int, double> accumulate)
    {
        if (count > 1)
            return Add(Add(first, count / 2, accumulate), Add(first + count / 2, count / 2, accumulate));
        var loss = accumulate(first);
        return new BatchGradient([.. parameters.Select(parameter => parameter.Value.TakeGradient(_buffers))], loss);
    }

    private BatchGradient Add(BatchGradient one, BatchGradient other)
    {
        for (var i = 0; i < one.Gradients.Length; i++)
        {
            var sum = ParameterGradient.Sum(one.Gradients[i], other.Gradients[i]);
            if (sum != other.Gradients[i])
                _buffers.Return(other.Gradients[i]);
            one.Gradients[i] = sum;
        }

        return one with { Loss = one.Loss + other.Loss };
    }

    private BatchGradient Exchange(int partner, BatchGradient own, ref bool asked)
    {
        var length = GradientMessage.LengthOf(own.Gradients);
        var message = Reserve(ref _sent, length);
        GradientMessage.Write(own.Gradients, message);
        Span<byte> header = new byte[HeaderBytes];
        Span<byte> received = new byte[HeaderBytes];
        header[0] = asked ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteDoubleLittleEndian(header[1..], own.Loss);
        BinaryPrimitives.WriteInt32LittleEndian(header[(1 + sizeof(double))..], message.Length);
        _ranks.Exchange(partner, header, received);
        asked |= received[0] != 0;
        var other = Reserve(ref _received, BinaryPrimitives.ReadInt32LittleEndian(received[(1 + sizeof(double))..]));
        _ranks.Exchange(partner, message, other);
        return new BatchGradient(GradientMessage.Read(other, parameters, _buffers), BinaryPrimitives.ReadDoubleLittleEndian(received[1..]));
    }

    private static Span<byte> Reserve(ref byte[] bytes, int length)
    {
        if (bytes.Length < length)
            bytes = new byte[length];
        return bytes.AsSpan(0, length);
    }

    /// <summary>The gradient of a part of a batch.</summary>
    private readonly record struct BatchGradient(ParameterGradient?[] Gradients, double Loss);
}
