namespace Microsoft.ML.Moe.Training;

/// <summary>Which settings a model of features is trained with, where they are left at their defaults.</summary>
public enum FeatureRecipe
{
    /// <summary><see cref="Small"/> up to 1,000 training rows, and <see cref="Large"/> from there on.</summary>
    Automatic,

    /// <summary>
    /// For few rows: batches of 32, learning rate 4e-3, 30 epochs, dropout 0.3 throughout, 16 bins of each number, no temperature, 0.15
    /// of the rows held out.
    /// </summary>
    Small,

    /// <summary>
    /// For many rows: batches of 128, and of 256 from 16,000 rows on; learning rate 6e-3; 20 epochs up to 15,000 rows, for a number 40 up to
    /// 30,000, and fewer beyond, but at least 10; dropout 0.1, which falls to 0 over the second half; 48 bins of each number; the temperature of
    /// probabilities is fitted.
    /// </summary>
    Large,
}
