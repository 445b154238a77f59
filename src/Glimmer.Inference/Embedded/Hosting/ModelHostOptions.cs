namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>How a host shares the machine between its models.</summary>
public sealed record ModelHostOptions
{
    /// <summary>Bytes that all loaded models may need together: weights, KV cache, activations. At least 1.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>How long a load waits for memory that models with answers in flight hold.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long answers in flight may go on when their model is unloaded; then they are ended.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long requests get the last error after a load has failed, before it is tried again.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often a model's files are looked at while it answers; zero for at every request.</summary>
    public TimeSpan FileCheckInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Checks every value; the error names the option and a legal value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public void Validate()
    {
        if (MemoryBytes < 1)
            throw new ArgumentOutOfRangeException(nameof(MemoryBytes), MemoryBytes, $"{nameof(MemoryBytes)} is {MemoryBytes}; legal is 1 or more.");
        Require(Patience, nameof(Patience));
        Require(Grace, nameof(Grace));
        Require(RetryAfter, nameof(RetryAfter));
        Require(FileCheckInterval, nameof(FileCheckInterval));
    }

    private static void Require(TimeSpan value, string name)
    {
        if (value < TimeSpan.Zero || value > TimeSpan.FromDays(1))
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}; legal is zero to one day.");
    }
}
