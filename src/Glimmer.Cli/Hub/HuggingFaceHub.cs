using System.Net;
using System.Text.Json;

namespace Glimmer.Cli.Hub;

/// <summary>The Hugging Face protocol: a paged tree of the repository, and <c>resolve</c> addresses that redirect to storage.</summary>
/// <param name="endpoint">Base address, e.g. a mirror.</param>
/// <param name="client">Requests.</param>
internal sealed class HuggingFaceHub(Uri endpoint, HubClient client) : IHub
{
    private const int MostPages = 100;

    /// <inheritdoc/>
    public string Name => endpoint.Host;

    /// <inheritdoc/>
    public string DefaultRevision => "main";

    /// <inheritdoc/>
    public Uri AddressOf(ModelReference reference, HubFile file) =>
        new(endpoint, $"{reference.Repository}/resolve/{Escape(reference.Revision ?? DefaultRevision)}/{Escape(file.Path)}");

    /// <inheritdoc/>
    public async Task<IReadOnlyList<HubFile>> ListAsync(ModelReference reference, CancellationToken cancel)
    {
        List<HubFile> files = [];
        Uri? page = new(endpoint, $"api/models/{reference.Repository}/tree/{Uri.EscapeDataString(reference.Revision ?? DefaultRevision)}?recursive=true");
        for (int pages = 0; page is not null; pages++)
        {
            if (pages >= MostPages)
                throw new HubException($"{Name} lists {reference.Repository} in more than {MostPages} pages; that is not a model.");
            using HttpResponseMessage response = await client.GetAsync(page, null, null, cancel);
            ThrowUnlessFound(response.StatusCode, reference);
            using JsonDocument body = await HubJson.ReadAsync(response, Name, cancel);
            if (body.RootElement.ValueKind != JsonValueKind.Array)
                throw new HubException($"{Name} answered the list of {reference.Repository} with {body.RootElement.ValueKind} where an array was expected.");
            foreach (JsonElement entry in body.RootElement.EnumerateArray())
            {
                if (HubJson.Text(entry, "type") == "file")
                    files.Add(ReadFile(entry));
            }

            page = NextPage(response, page);
        }

        return files;
    }

    private HubFile ReadFile(JsonElement entry)
    {
        string path = HubJson.Text(entry, "path") ?? throw new HubException($"{Name} lists a file without a path.");
        if (!HubFile.IsSafePath(path))
            throw new HubException($"{Name} lists a file named '{path}', which would not stay inside the model's folder; nothing was downloaded.");
        if (entry.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object)
            return new HubFile(path, HubJson.Size(lfs, path, Name), ChecksumKind.Sha256, HubJson.Digest(lfs, "oid", 64));
        return new HubFile(path, HubJson.Size(entry, path, Name), ChecksumKind.GitBlob, HubJson.Digest(entry, "oid", 40));
    }

    private void ThrowUnlessFound(HttpStatusCode status, ModelReference reference)
    {
        switch (status)
        {
            case HttpStatusCode.OK:
                return;
            case HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden:
                throw new HubException($"{Name} does not show {reference.Repository} to us: it does not exist, or it needs a token. Set HF_TOKEN to a token that may read it.");
            case HttpStatusCode.NotFound:
                throw new HubException($"{Name} has no {reference.Repository}{(reference.Revision is null ? "" : $" at revision {reference.Revision}")}.");
            default:
                throw new HubException($"{Name} answered {(int)status} when asked for the files of {reference.Repository}.");
        }
    }

    // RFC 8288: Link: <address>; rel="next". Only followed on the same host.
    private static Uri? NextPage(HttpResponseMessage response, Uri current)
    {
        if (!response.Headers.TryGetValues("Link", out IEnumerable<string>? links))
            return null;
        foreach (string link in links.SelectMany(header => header.Split(',')))
        {
            int open = link.IndexOf('<', StringComparison.Ordinal), close = link.IndexOf('>', StringComparison.Ordinal);
            if (open < 0 || close < open || !link[close..].Contains("rel=\"next\"", StringComparison.Ordinal))
                continue;
            Uri next = new(current, link[(open + 1)..close]);
            if (next.Authority == current.Authority)
                return next;
        }

        return null;
    }

    private static string Escape(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
}
