namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The gradient of a table of which entries were looked up: dTable[rows[i]] += weights[i]·dY[targets[i]].</summary>
internal static unsafe class TableGradient
{
    private const int GroupsPerItem = 32;

    /// <summary>Adds the gradient.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="tableVD">The table.</param>
    /// <param name="rows">Table row of each entry.</param>
    /// <param name="entries">Number of entries.</param>
    /// <param name="targets">Row of the result that each entry went into; null for its own number.</param>
    /// <param name="weights">Weight of each entry; null for 1.</param>
    /// <param name="dY">Gradient of the result.</param>
    public static void Add(ManagedTape tape, ManagedTensor tableVD, int* rows, int entries, int* targets, float* weights, float* dY)
    {
        var width = tableVD.Columns;
        var groups = new RowGroups(tape.Scratch, rows, entries, tableVD.GroupOfRow(tape.Scratch));
        var sparse = tableVD.SparseGradient;
        var gradient = sparse is null ? tableVD.GradientToAdd() : null;
        var places = tape.Scratch.AllocateIntegers(groups.Count);
        var isFresh = (bool*)tape.Scratch.AllocateIntegers(groups.Count);
        sparse?.Reserve(groups.Count);
        for (var group = 0; group < groups.Count; group++)
        {
            isFresh[group] = false;
            places[group] = sparse is null ? groups.Row(group) : sparse.Touch(groups.Row(group), out isFresh[group]);
        }

        var groupedTargets = tape.Scratch.AllocateIntegers(entries);
        var groupedWeights = weights == null ? null : tape.Scratch.Allocate(entries);
        for (var i = 0; i < entries; i++)
        {
            var entry = groups.Entries[i];
            groupedTargets[i] = targets == null ? entry : targets[entry];
            if (weights != null)
                groupedWeights[i] = weights[entry];
        }

        // what was reserved stays where it is
        var slots = sparse is null || groups.Count == 0 ? gradient : sparse.Slot(0);
        var sums = new Sums(tape.Kernels, dY, width, groups, groupedTargets, groupedWeights, slots, places, isFresh);
        tape.Workers.Run((groups.Count + GroupsPerItem - 1) / GroupsPerItem, (long)entries * width, sums);
    }

    private readonly struct Sums(
        Kernels kernels, float* dY, int width, RowGroups groups, int* targets, float* weights, float* slots, int* places, bool* isFresh)
        : ILoopBody
    {
        public void Run(int item, int worker)
        {
            for (var group = item * GroupsPerItem; group < Math.Min(groups.Count, (item + 1) * GroupsPerItem); group++)
            {
                var start = groups.Start(group);
                kernels.SumRows(
                    dY,
                    width,
                    targets + start,
                    weights == null ? null : weights + start,
                    groups.Start(group + 1) - start,
                    slots + (long)places[group] * width,
                    width,
                    !isFresh[group]);
            }
        }
    }
}
