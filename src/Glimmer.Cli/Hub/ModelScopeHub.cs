using System.Net;
using System.Text.Json;

namespace Glimmer.Cli.Hub;

/// <summary>The ModelScope protocol: one list of files with SHA-256 digests, and <c>resolve</c> addresses.</summary>
/// <param name="endpoint">Base address.</param>
/// <param name="client">Requests.</param>
internal sealed class ModelScopeHub(Uri endpoint, HubClient client) : IHub
{
    /// <inheritdoc/>
    public string Name => endpoint.Host;

    /// <inheritdoc/>
    public string DefaultRevision => "master";

    /// <inheritdoc/>
    public Uri AddressOf(ModelReference reference, HubFile file) =>
        new(endpoint, $"models/{reference.Repository}/resolve/{Uri.EscapeDataString(reference.Revision ?? DefaultRevision)}/{string.Join('/', file.Path.Split('/').Select(Uri.EscapeDataString))}");

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HubFile>> ListAsync(ModelReference reference, CancellationToken cancel)
    {
        Uri address = new(endpoint, $"api/v1/models/{reference.Repository}/repo/files?Recursive=true&Revision={Uri.EscapeDataString(reference.Revision ?? DefaultRevision)}");
        using HttpResponseMessage response = await client.GetAsync(address, null, null, cancel);
        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            throw new HubException($"{Name} does not show {reference.Repository} to us; set MODELSCOPE_API_TOKEN to a token that may read it.");
        if (response.StatusCode == HttpStatusCode.NotFound)
            throw new HubException($"{Name} has no {reference.Repository}{(reference.Revision is null ? "" : $" at revision {reference.Revision}")}.");
        if (response.StatusCode != HttpStatusCode.OK)
            throw new HubException($"{Name} answered {(int)response.StatusCode} when asked for the files of {reference.Repository}.");
        using JsonDocument body = await HubJson.ReadAsync(response, Name, cancel);
        if (!body.RootElement.TryGetProperty("Data", out JsonElement data) || data.ValueKind != JsonValueKind.Object
            || !data.TryGetProperty("Files", out JsonElement list) || list.ValueKind != JsonValueKind.Array)
        {
            throw new HubException($"{Name} answered the list of {reference.Repository} without Data.Files.");
        }

        List<HubFile> files = [];
        foreach (JsonElement entry in list.EnumerateArray())
        {
            if (HubJson.Text(entry, "Type") == "tree")
                continue;
            string path = HubJson.Text(entry, "Path") ?? throw new HubException($"{Name} lists a file without a path.");
            if (!HubFile.IsSafePath(path))
                throw new HubException($"{Name} lists a file named '{path}', which would not stay inside the model's folder; nothing was downloaded.");
            files.Add(new HubFile(path, HubJson.Size(entry, path, Name), ChecksumKind.Sha256, HubJson.Digest(entry, "Sha256", 64)));
        }

        return files;
    }
}
