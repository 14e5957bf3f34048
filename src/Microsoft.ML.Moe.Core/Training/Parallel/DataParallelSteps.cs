using System.Buffers.Binary;
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
/// <param name="time">What measures time; null for the system's.</param>
internal sealed class DataParallelSteps(
    DataParallel parallel, IReadOnlyList<Parameter> parameters, CancellationToken stop, TimeProvider? time = null) : IDisposable
{
    private const int MeasuredSteps = 20;
    private const int FewestTrials = 4;
    private const int MostTrials = 30;

    // long enough for the runtime to have compiled what a step calls
    private const double TrialMilliseconds = 500;
    private const int HeaderBytes = 1 + sizeof(double) + sizeof(int);
    private readonly ICommunicator _ranks = parallel.Communicator;
    private readonly CancellationTokenSource _agreed = new();
    private readonly GradientBuffers _buffers = new();
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private byte[] _sent = [];
    private byte[] _received = [];
    private int _steps;
    private double _computing;
    private double _exchanging;
    private double _rest;
    private long _ended;

    /// <summary>Is cancelled after the step before which any rank was asked to stop, on all ranks alike.</summary>
    public CancellationToken Stop => _agreed.Token;

    /// <summary>Computes the gradient of a batch, and puts it into the parameters.</summary>
    /// <param name="accumulate">Adds the gradient of a shard to the parameters', and tells its share of the batch's loss.</param>
    /// <returns>The batch's loss.</returns>
    public double Accumulate(Func<int, double> accumulate)
    {
        var started = _time.GetTimestamp();
        var sum = AddOwn(accumulate);
        _computing += MillisecondsSince(started);
        started = _time.GetTimestamp();
        var asked = stop.IsCancellationRequested;
        sum = AddOthers(sum, ref asked);
        _exchanging += MillisecondsSince(started);
        foreach (var (parameter, gradient) in parameters.Zip(sum.Gradients))
            parameter.Value.PutGradient(gradient, _buffers);

        if (asked)
        {
            parallel.HasStopped = true;
            _agreed.Cancel();
        }

        _ended = _time.GetTimestamp();
        return sum.Loss;
    }

    /// <summary>
    /// Measures what the ranks gain: computes the gradient of a batch and exchanges it, a few times, and throws it away. All ranks do so together and are
    /// told the same. The fastest trial counts.
    /// </summary>
    /// <param name="accumulate">As <see cref="Accumulate"/> takes it; changes nothing but gradients.</param>
    /// <returns>What was measured, and what to do where one rank would be faster; null for a rank alone.</returns>
    public (ParallelGain Gain, string? Advice)? Probe(Func<int, double> accumulate)
    {
        if (_ranks.Size == 1)
            return null;
        var (computing, exchange) = (double.PositiveInfinity, double.PositiveInfinity);
        var (bytes, start, isEnough) = (0L, _time.GetTimestamp(), false);
        for (var trial = 1; !isEnough; trial++)
        {
            var started = _time.GetTimestamp();
            var sum = AddOwn(accumulate);
            computing = Math.Min(computing, MillisecondsSince(started));
            bytes = Math.Max(bytes, GradientMessage.TravelOf(sum.Gradients));
            // ranks that compute longer are not to count as exchange
            var spent = Agree(MillisecondsSince(start), Math.Max);
            started = _time.GetTimestamp();
            var asked = false;
            sum = AddOthers(sum, ref asked);
            exchange = Math.Min(exchange, MillisecondsSince(started));
            foreach (var gradient in sum.Gradients)
                _buffers.Return(gradient?.Memory);
            isEnough = trial == MostTrials || (trial >= FewestTrials && spent >= TrialMilliseconds);
        }

        var gain = new ParallelGain(
            _ranks.Size, Agree(computing, Math.Max), Agree(computing, (own, other) => own + other), Agree(exchange, Math.Max), Rest: 0);
        return (gain, gain.Advice(bytes));
    }

    /// <summary>Ends a step; after some of them tells, once, what the ranks have gained.</summary>
    public ParallelGain? EndStep()
    {
        _rest += MillisecondsSince(_ended);
        if (++_steps != MeasuredSteps || _ranks.Size == 1)
            return null;
        return new ParallelGain(_ranks.Size, _computing / _steps, _ranks.Size * _computing / _steps, _exchanging / _steps, _rest / _steps);
    }

    public void Dispose() => _agreed.Dispose();

    private double MillisecondsSince(long started) => _time.GetElapsedTime(started).TotalMilliseconds;

    /// <summary>Makes one number of all ranks' numbers, the same on all of them.</summary>
    private double Agree(double number, Func<double, double, double> join)
    {
        Span<byte> own = stackalloc byte[sizeof(double)];
        Span<byte> other = stackalloc byte[sizeof(double)];
        for (var distance = 1; distance < _ranks.Size; distance *= 2)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(own, number);
            _ranks.Exchange(_ranks.Rank ^ distance, own, other);
            number = join(number, BinaryPrimitives.ReadDoubleLittleEndian(other));
        }

        return number;
    }

    private BatchGradient AddOwn(Func<int, double> accumulate) => Add(parallel.OwnShards * _ranks.Rank, parallel.OwnShards, accumulate);

    private BatchGradient AddOthers(BatchGradient sum, ref bool asked)
    {
        for (var distance = 1; distance < _ranks.Size; distance *= 2)
            sum = Add(sum, Exchange(_ranks.Rank ^ distance, sum, ref asked));
        return sum;
    }

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
            one.Gradients[i] = ParameterGradient.Sum(one.Gradients[i], other.Gradients[i], _buffers);
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
        var gradients = GradientMessage.Read(other, parameters, _buffers);
        for (var i = 0; i < gradients.Length; i++)
        {
            var apart = GradientMessage.ValuesApart(own.Gradients[i]);
            var otherApart = GradientMessage.ValuesApart(gradients[i]);
            if (apart.Length + otherApart.Length > 0)
                _ranks.Exchange(partner, apart, otherApart);
        }

        return new BatchGradient(gradients, BinaryPrimitives.ReadDoubleLittleEndian(received[1..]));
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
