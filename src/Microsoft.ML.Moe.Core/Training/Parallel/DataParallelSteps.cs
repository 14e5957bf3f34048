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
    private const byte GoesOn = 0;
    private const byte AsksForStop = 1;
    private const byte HasFailed = 2;
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

    // distance of the next partner: 1 between rounds
    private int _distance = 1;
    private bool _isInMessage;

    /// <summary>Is cancelled after the step before which any rank was asked to stop, on all ranks alike.</summary>
    public CancellationToken Stop => _agreed.Token;

    /// <summary>Compares what the ranks begin with, before they take steps.</summary>
    /// <param name="own">What this one begins with.</param>
    /// <exception cref="InvalidDataException">A rank differs from the first; all ranks are told so alike.</exception>
    /// <exception cref="InvalidOperationException">A rank computes with other bits, or has failed.</exception>
    public void CheckStart(RankStart own)
    {
        var all = new byte[_ranks.Size * RankStart.Bytes];
        own.Write(Of(_ranks.Rank, 1));
        for (var distance = 1; distance < _ranks.Size; distance *= 2)
        {
            ExchangeHeaders(GoesOn, 0, 0);
            var first = _ranks.Rank & -distance;
            ExchangeWithin(_ranks.Rank ^ distance, Of(first, distance), Of(first ^ distance, distance));
        }

        RankStart.Check([.. Enumerable.Range(0, _ranks.Size).Select(rank => RankStart.Read(Of(rank, 1)))]);

        Span<byte> Of(int rank, int count) => all.AsSpan(rank * RankStart.Bytes, count * RankStart.Bytes);
    }

    /// <summary>Waits until all ranks have come to the end of their training.</summary>
    /// <exception cref="RankFailedException">One has failed instead.</exception>
    public void End()
    {
        for (var distance = 1; distance < _ranks.Size; distance *= 2)
            ExchangeHeaders(GoesOn, 0, 0);
    }

    /// <summary>Tells the other ranks, which wait for this one or will, that it cannot go on: none of them is to wait for ever.</summary>
    /// <param name="error">Why it cannot.</param>
    public void Fail(Exception error)
    {
        // an own failure begins a round, another's goes on with it; in the midst of either nothing that is sent would be understood, and the ranks' own
        // library has to end them
        if (_ranks.Size == 1 || _isInMessage || (_distance > 1) != (error is RankFailedException))
            return;
        try
        {
            do
                SendHeader(HasFailed, (error as RankFailedException)?.Rank ?? _ranks.Rank, 0);
            while (_distance > 1);
        }
        catch (Exception e) when (e is InvalidOperationException or OperationCanceledException or ObjectDisposedException)
        {
            // the ranks can no longer be reached: what ends this one is thrown by the caller
        }
    }

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
        for (var distance = 1; distance < _ranks.Size; distance *= 2)
            number = join(number, ExchangeHeaders(GoesOn, number, 0).Number);
        return number;
    }

    /// <summary>Exchanges what precedes each message with the next partner of a round, in which the distance to it doubles each time.</summary>
    /// <exception cref="RankFailedException">A rank has failed.</exception>
    private (byte State, double Number, int Length) ExchangeHeaders(byte state, double number, int length)
    {
        var other = SendHeader(state, number, length);
        return other.State == HasFailed ? throw new RankFailedException((int)other.Number) : other;
    }

    private (byte State, double Number, int Length) SendHeader(byte state, double number, int length)
    {
        Span<byte> own = stackalloc byte[HeaderBytes];
        Span<byte> other = stackalloc byte[HeaderBytes];
        own[0] = state;
        BinaryPrimitives.WriteDoubleLittleEndian(own[1..], number);
        BinaryPrimitives.WriteInt32LittleEndian(own[(1 + sizeof(double))..], length);
        ExchangeWithin(_ranks.Rank ^ _distance, own, other);
        _distance = 2 * _distance >= _ranks.Size ? 1 : 2 * _distance;
        return (
            other[0],
            BinaryPrimitives.ReadDoubleLittleEndian(other[1..]),
            BinaryPrimitives.ReadInt32LittleEndian(other[(1 + sizeof(double))..]));
    }

    private void ExchangeWithin(int partner, ReadOnlySpan<byte> send, Span<byte> receive)
    {
        _isInMessage = true;
        _ranks.Exchange(partner, send, receive);
        _isInMessage = false;
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
        var message = Reserve(ref _sent, GradientMessage.LengthOf(own.Gradients));
        GradientMessage.Write(own.Gradients, message);
        var header = ExchangeHeaders(asked ? AsksForStop : GoesOn, own.Loss, message.Length);
        asked |= header.State == AsksForStop;
        var other = Reserve(ref _received, header.Length);
        _isInMessage = true;
        _ranks.Exchange(partner, message, other);
        var gradients = GradientMessage.Read(other, parameters, _buffers);
        for (var i = 0; i < gradients.Length; i++)
        {
            var apart = GradientMessage.ValuesApart(own.Gradients[i]);
            var otherApart = GradientMessage.ValuesApart(gradients[i]);
            if (apart.Length + otherApart.Length > 0)
                _ranks.Exchange(partner, apart, otherApart);
        }

        _isInMessage = false;
        return new BatchGradient(gradients, header.Number);
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
