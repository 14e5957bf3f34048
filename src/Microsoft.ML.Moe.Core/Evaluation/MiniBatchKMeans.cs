namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// Mini-batch k-means (Sculley 2010, "Web-scale k-means clustering") from a k-means++ start (Arthur and Vassilvitskii 2007), drawing the
/// random numbers that scikit-learn's <c>MiniBatchKMeans</c> draws and moving the centres by its rules: from the same seed the same
/// clusters, where rounding does not decide between two.
/// </summary>
internal sealed class MiniBatchKMeans
{
    private const int MostEpochs = 100;
    private const int InitialBatches = 3;
    private const int MostStepsWithoutGain = 10;
    private const int RowsForEachReassignment = 10;
    private const double SmallestShare = 0.01;

    private readonly MersenneTwister _random;
    private readonly IReadOnlyList<float[]> _rows;
    private readonly int _batchSize;
    private readonly float[][] _centres;
    private readonly double[] _counts;

    private MiniBatchKMeans(IReadOnlyList<float[]> rows, int clusters, int batchSize, uint seed)
    {
        _random = new MersenneTwister(seed);
        _rows = rows;
        _batchSize = Math.Min(batchSize, rows.Count);
        var initial = InitialBatches * _batchSize;
        initial = Math.Min(initial < clusters ? InitialBatches * clusters : initial, rows.Count);
        // The rows that scikit-learn compares several starts on: there is one, but they are drawn.
        _random.NextIndices(rows.Count, initial);
        _centres = Start(
            initial < rows.Count ? [.. _random.NextIndices(rows.Count, initial).Select(i => rows[i])] : rows, clusters);
        _counts = new double[clusters];
        Assignments = new int[rows.Count];
    }

    /// <summary>Cluster of each row.</summary>
    public int[] Assignments { get; }

    /// <summary>Sum over the rows of the squared distance to their cluster's centre.</summary>
    public double Inertia { get; private set; }

    /// <summary>Clusters rows.</summary>
    /// <param name="rows">Rows of the same length, at least as many as clusters.</param>
    /// <param name="clusters">Number of clusters, over 0.</param>
    /// <param name="batchSize">Rows of a step, over 0.</param>
    /// <param name="seed">Seed of the random numbers.</param>
    /// <param name="cancellation">Ends it with an exception.</param>
    /// <exception cref="ArgumentException">There are fewer rows than clusters.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static MiniBatchKMeans Fit(
        IReadOnlyList<float[]> rows, int clusters, int batchSize, uint seed, CancellationToken cancellation = default)
    {
        if (rows.Count < clusters)
            throw new ArgumentException($"{rows.Count} rows cannot be split into {clusters} clusters.", nameof(clusters));
        var result = new MiniBatchKMeans(rows, clusters, batchSize, seed);
        result.Descend(cancellation);
        result.Inertia = result.Assign(rows, result.Assignments);
        return result;
    }

    /// <summary>k-means++ that tries 2 + ⌊ln k⌋ rows for each centre and takes the best.</summary>
    private float[][] Start(IReadOnlyList<float[]> rows, int clusters)
    {
        var centres = new float[clusters][];
        var closest = new float[rows.Count];
        Array.Fill(closest, float.PositiveInfinity);
        var trials = 2 + (int)Math.Log(clusters);
        centres[0] = [.. NextRow(rows)];
        var potential = Closer(rows, centres[0], closest, closest);
        for (var c = 1; c < clusters; c++)
        {
            var drawn = new double[trials];
            for (var t = 0; t < trials; t++)
                drawn[t] = _random.NextDouble() * potential;
            var (best, bestRow, bestClosest) = (double.PositiveInfinity, 0, closest);
            foreach (var row in drawn.Select(d => IndexAt(closest, d)))
            {
                var reached = new float[rows.Count];
                var sum = Closer(rows, rows[row], closest, reached);
                if (sum < best)
                    (best, bestRow, bestClosest) = (sum, row, reached);
            }

            (centres[c], closest, potential) = ([.. rows[bestRow]], bestClosest, best);
        }

        return centres;
    }

    // As choice with the rows' weights, which are equal, draws it.
    private float[] NextRow(IReadOnlyList<float[]> rows) => rows[Math.Min((int)(_random.NextDouble() * rows.Count), rows.Count - 1)];

    private void Descend(CancellationToken cancellation)
    {
        var steps = (long)MostEpochs * _rows.Count / _batchSize;
        var (mean, bestMean, withoutGain, sinceReassignment) = (double.NaN, double.PositiveInfinity, 0, 0);
        for (var step = 0L; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            float[][] batch = [.. Enumerable.Range(0, _batchSize).Select(_ => NextRow(_rows))];
            sinceReassignment += _batchSize;
            var reassigns = _counts.Contains(0.0) || sinceReassignment >= RowsForEachReassignment * _centres.Length;
            if (reassigns)
                sinceReassignment = 0;
            var inertia = Step(batch, reassigns) / _batchSize;
            // The first is that of the start.
            if (step == 0)
                continue;
            var share = Math.Min(_batchSize * 2.0 / (_rows.Count + 1), 1.0);
            mean = double.IsNaN(mean) ? inertia : (mean * (1 - share)) + (inertia * share);
            withoutGain = mean < bestMean ? 0 : withoutGain + 1;
            bestMean = Math.Min(bestMean, mean);
            if (withoutGain >= MostStepsWithoutGain)
                return;
        }
    }

    /// <summary>Moves each centre to the mean of all rows that it has had.</summary>
    /// <returns>Inertia of the batch before.</returns>
    private double Step(float[][] batch, bool reassigns)
    {
        var clusters = new int[batch.Length];
        var inertia = Assign(batch, clusters);
        for (var c = 0; c < _centres.Length; c++)
        {
            float[][] own = [.. batch.Where((_, i) => clusters[i] == c)];
            if (own.Length == 0)
                continue;
            var centre = _centres[c];
            var scale = 1f / (float)(_counts[c] + own.Length);
            for (var k = 0; k < centre.Length; k++)
            {
                var sum = centre[k] * (float)_counts[c];
                foreach (var row in own)
                    sum += row[k];
                centre[k] = sum * scale;
            }

            _counts[c] += own.Length;
        }

        if (reassigns)
            Reassign(batch);
        return inertia;
    }

    /// <summary>Centres that have had far fewer rows than the largest become rows of the batch.</summary>
    private void Reassign(float[][] batch)
    {
        var smallest = SmallestShare * _counts.Max();
        int[] small = [.. Enumerable.Range(0, _counts.Length).Where(c => _counts[c] < smallest)];
        if (small.Length > batch.Length / 2.0)
        {
            var kept = Enumerable.Range(0, _counts.Length).OrderBy(c => _counts[c]).Skip(batch.Length / 2).ToHashSet();
            small = [.. small.Where(c => !kept.Contains(c))];
        }

        if (small.Length == 0)
            return;
        var rows = _random.Permutation(batch.Length);
        var count = Enumerable.Range(0, _counts.Length).Except(small).Min(c => _counts[c]);
        for (var i = 0; i < small.Length; i++)
            (_centres[small[i]], _counts[small[i]]) = ([.. batch[rows[i]]], count);
    }

    private double Assign(IReadOnlyList<float[]> rows, int[] clusters)
    {
        var inertia = 0.0;
        for (var i = 0; i < rows.Count; i++)
        {
            var best = double.PositiveInfinity;
            for (var c = 0; c < _centres.Length; c++)
                if (SquaredDistance(rows[i], _centres[c]) is var distance && distance < best)
                    (best, clusters[i]) = (distance, c);
            inertia += best;
        }

        return inertia;
    }

    /// <summary>Squared distances to the closest centre once there is one more.</summary>
    /// <returns>Their sum.</returns>
    private static double Closer(IReadOnlyList<float[]> rows, float[] centre, float[] before, float[] result)
    {
        var sum = 0.0;
        for (var i = 0; i < rows.Count; i++)
            sum += result[i] = Math.Min(before[i], (float)SquaredDistance(rows[i], centre));
        return sum;
    }

    // The first row where the sum of the shares up to it reaches what was drawn.
    private static int IndexAt(float[] shares, double drawn)
    {
        var sum = 0.0;
        for (var i = 0; i < shares.Length; i++)
        {
            sum += shares[i];
            if (sum >= drawn)
                return i;
        }

        return shares.Length - 1;
    }

    private static double SquaredDistance(float[] x, float[] y)
    {
        var sum = 0.0;
        for (var k = 0; k < x.Length; k++)
            sum += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
        return sum;
    }
}
