namespace Glimmer.Cli.Hub;

/// <summary>A place that models are published at.</summary>
internal interface IHub
{
    /// <summary>Name for messages.</summary>
    string Name { get; }

    /// <summary>Revision when the user names none.</summary>
    string DefaultRevision { get; }

    /// <summary>All files of a repository at a revision. Files with unsafe paths are refused, not skipped.</summary>
    /// <exception cref="HubException">The repository does not exist, needs a token, or the hub answers nonsense.</exception>
    Task<IReadOnlyList<HubFile>> ListAsync(ModelReference reference, CancellationToken cancel);

    /// <summary>Where a file is asked for; it may redirect to a link that expires.</summary>
    Uri AddressOf(ModelReference reference, HubFile file);
}
