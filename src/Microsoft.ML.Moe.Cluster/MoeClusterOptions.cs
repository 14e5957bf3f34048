namespace Microsoft.ML.Moe.Cluster;

/// <summary>How a silo takes part in sweeps. All of it can stay as it is.</summary>
public sealed class MoeClusterOptions
{
    /// <summary>
    /// Trials that this silo trains side by side. Within [0, 1024]: one uses all threads, several one each; 0 trains none, and coordinates
    /// alone. Default 1.
    /// </summary>
    public int Workers { get; set; } = 1;

    /// <summary>
    /// How long a trial stays with a worker that is not heard of; then another goes on with it. A living worker is heard of three times as
    /// often, however long its epochs are. The same in all silos. Within a second and a day. Default one minute.
    /// </summary>
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a worker without a trial waits before it asks again. Within 10 ms and an hour. Default one second.</summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Checks every option.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is out of its range; the message names it.</exception>
    public void Validate()
    {
        if (Workers is < 0 or > 1024)
            throw new ArgumentOutOfRangeException(nameof(Workers), Workers, $"{nameof(Workers)} must lie within [0, 1024].");
        if (LeaseDuration < TimeSpan.FromSeconds(1) || LeaseDuration > TimeSpan.FromDays(1))
            throw new ArgumentOutOfRangeException(
                nameof(LeaseDuration), LeaseDuration, $"{nameof(LeaseDuration)} must lie between one second and a day.");
        if (PollInterval < TimeSpan.FromMilliseconds(10) || PollInterval > TimeSpan.FromHours(1))
            throw new ArgumentOutOfRangeException(
                nameof(PollInterval), PollInterval, $"{nameof(PollInterval)} must lie between 10 ms and an hour.");
    }
}
