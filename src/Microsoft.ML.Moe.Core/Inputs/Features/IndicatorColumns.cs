namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Direct columns that stand for the values of categories: a row has 1 in few of them and 0 in the others, so that training multiplies only those
/// that a row has.
/// </summary>
internal sealed class IndicatorColumns
{
    /// <summary>Fewer are multiplied like all other columns.</summary>
    private const int Fewest = 32;

    private IndicatorColumns(int[] columns, int[] others) => (Columns, Others) = (columns, others);

    /// <summary>Their numbers among the direct columns, rising; none where it is not worth while.</summary>
    public int[] Columns { get; }

    /// <summary>Numbers of the other direct columns, rising.</summary>
    public int[] Others { get; }

    /// <summary>Those of a model's input.</summary>
    /// <param name="config">What the slots are.</param>
    /// <param name="places">Where each slot's encoding is.</param>
    public static IndicatorColumns Of(FeatureInputConfig config, SlotPlaces places)
    {
        var isIndicator = new bool[config.DirectColumns];
        for (var i = 0; i < config.Binaries.Length; i++)
        {
            var (low, slot) = (config.Binaries[i].Low, config.Binaries[i].Slot);
            isIndicator[places.FirstBinary + i] = low == 0f && config.Groups.Any(group => group.First <= slot && slot <= group.Last);
        }

        for (var i = 0; i < config.Categories.Length; i++)
            isIndicator.AsSpan(places.FirstOfCategory(i), config.Categories[i].Values.Length).Fill(true);
        var all = Enumerable.Range(0, isIndicator.Length).ToArray();
        int[] columns = [.. all.Where(column => isIndicator[column])];
        // the bias goes with the product of the others, of which there has to be one
        var hasOthers = columns.Length < all.Length || config.EmbeddedColumns > 0 || config.TableSlots.Length > 0;
        return columns.Length >= Fewest && hasOthers
            ? new IndicatorColumns(columns, [.. all.Except(columns)])
            : new IndicatorColumns([], all);
    }
}
