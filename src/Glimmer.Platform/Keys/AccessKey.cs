namespace Glimmer.Platform.Keys;

/// <summary>A key of the platform, without its secret.</summary>
/// <param name="Id">Public part: what stands before the dot.</param>
/// <param name="Name">What its owner calls it.</param>
/// <param name="Created">When it was made.</param>
/// <param name="Expires">When it stops to work; null for never.</param>
/// <param name="Disabled">Whether it is switched off.</param>
public sealed record AccessKey(string Id, string Name, DateTimeOffset Created, DateTimeOffset? Expires, bool Disabled)
{
    /// <summary>Number of the account that owns it; 0 for a key of a file.</summary>
    public long AccountId { get; init; }

    /// <summary>Number of its project.</summary>
    public long ProjectId { get; init; }

    /// <summary>Number of the key in the store.</summary>
    public long Number { get; init; }

    /// <summary>What it may do: models, networks, spend cap.</summary>
    public KeyRules Rules { get; init; } = KeyRules.None;

    /// <summary>Whether it may administer the platform.</summary>
    public bool IsOperator { get; init; }
}

/// <summary>A key just made: the only moment its secret is known.</summary>
/// <param name="Key">The key.</param>
/// <param name="Credential"><c>id.secret</c>, to be shown once and never stored.</param>
public readonly record struct NewAccessKey(AccessKey Key, string Credential);

/// <summary>The key file or the data folder cannot be used. The message names the path and the setting.</summary>
public sealed class KeyRingException : Exception
{
    /// <summary>With the message to show.</summary>
    public KeyRingException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
