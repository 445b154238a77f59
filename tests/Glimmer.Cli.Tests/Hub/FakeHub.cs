using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Glimmer.Cli.Tests.Hub;

/// <summary>
/// A hub on loopback that behaves as the real ones do: a paged tree, LFS pointers, redirects to links that expire,
/// ranges. Faults are injected per request.
/// </summary>
internal sealed class FakeHub : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Dictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _links = new(StringComparer.Ordinal);

    private FakeHub(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    /// <summary>Token that listing and resolving need; null for none.</summary>
    public string? Token { get; set; }

    /// <summary>Files per page of the tree.</summary>
    public int PageSize { get; set; } = 1000;

    /// <summary>Whether storage honours ranges.</summary>
    public bool Ranges { get; set; } = true;

    /// <summary>Asked for every download with path and count of downloads so far: bytes after which the connection is cut, or null.</summary>
    public Func<string, int, long?> CutAfter { get; set; } = (_, _) => null;

    /// <summary>Asked for every request of storage: a status to answer instead, with Retry-After in seconds, or null.</summary>
    public Func<int, (int Status, int RetryAfter)?> Refuse { get; set; } = _ => null;

    /// <summary>Paths whose bytes are delivered damaged, by download number.</summary>
    public Func<string, int, bool> Damage { get; set; } = (_, _) => false;

    /// <summary>Overrides the path that the tree names for a file.</summary>
    public Func<string, string> NameInTree { get; set; } = path => path;

    public int Downloads;

    public long BytesServed;

    public ConcurrentBag<string> TokensSeenByStorage { get; } = [];

    public static async Task<FakeHub> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication app = builder.Build();
        FakeHub hub = new(app);
        app.MapGet("/api/models/{owner}/{name}/tree/{revision}", hub.TreeAsync);
        app.MapGet("/api/v1/models/{owner}/{name}/repo/files", hub.ModelScopeFilesAsync);
        app.MapGet("/{owner}/{name}/resolve/{revision}/{**path}", hub.Resolve);
        app.MapGet("/models/{owner}/{name}/resolve/{revision}/{**path}", hub.Resolve);
        app.MapGet("/storage/{link}/{**path}", hub.ServeAsync);
        await app.StartAsync();
        hub.Address = new Uri(app.Urls.Single() + "/");
        return hub;
    }

    public FakeHub Add(string path, byte[] content)
    {
        _files[path] = content;
        return this;
    }

    public FakeHub Add(string path, string content) => Add(path, Encoding.UTF8.GetBytes(content));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private bool Allowed(HttpContext context) => Token is null || context.Request.Headers.Authorization == $"Bearer {Token}";

    private async Task TreeAsync(HttpContext context, string owner, string name)
    {
        if (!Allowed(context))
        {
            context.Response.StatusCode = 401;
            return;
        }

        if (owner != "zai-org" || name != "GLM-Fake")
        {
            context.Response.StatusCode = 404;
            return;
        }

        int from = int.TryParse(context.Request.Query["cursor"], CultureInfo.InvariantCulture, out int cursor) ? cursor : 0;
        if (from + PageSize < _files.Count)
            context.Response.Headers.Link = $"<{Address}api/models/{owner}/{name}/tree/main?recursive=true&cursor={from + PageSize}>; rel=\"next\"";
        await context.Response.WriteAsJsonAsync(_files.Skip(from).Take(PageSize).Select(file => Entry(NameInTree(file.Key), file.Value)));
    }

    // Files over 1,000 bytes are LFS objects here; smaller ones carry git's blob id.
    private static Dictionary<string, object> Entry(string path, byte[] content)
    {
        Dictionary<string, object> entry = new() { ["type"] = "file", ["path"] = path, ["size"] = content.Length, ["oid"] = GitBlob(content) };
        if (content.Length > 1000)
            entry["lfs"] = new Dictionary<string, object> { ["oid"] = Convert.ToHexStringLower(SHA256.HashData(content)), ["size"] = content.Length, ["pointerSize"] = 134 };
        return entry;
    }

    private static string GitBlob(byte[] content) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));

    private async Task ModelScopeFilesAsync(HttpContext context)
    {
        var files = _files.Select(file => new { Type = "blob", Path = file.Key, Size = file.Value.Length, Sha256 = Convert.ToHexStringLower(SHA256.HashData(file.Value)) });
        await context.Response.WriteAsync(JsonSerializer.Serialize(new { Code = 200, Data = new { Files = files } }));
    }

    private IResult Resolve(HttpContext context, string path)
    {
        if (!Allowed(context))
            return Results.StatusCode(401);
        if (!_files.ContainsKey(path))
            return Results.NotFound();
        string link = Guid.NewGuid().ToString("N");
        _links[link] = true;
        // Storage is another host name, so that a token sent there would be seen as a leak.
        return Results.Redirect($"http://localhost:{Address.Port}/storage/{link}/{path}");
    }

    private async Task ServeAsync(HttpContext context, string link, string path)
    {
        int number = Interlocked.Increment(ref Downloads);
        if (context.Request.Headers.Authorization is [{ } token])
            TokensSeenByStorage.Add(token);
        if (Refuse(number) is { } refusal)
        {
            context.Response.StatusCode = refusal.Status;
            if (refusal.RetryAfter > 0)
                context.Response.Headers.RetryAfter = refusal.RetryAfter.ToString(CultureInfo.InvariantCulture);
            return;
        }

        if (!_links.TryRemove(link, out _))
        {
            context.Response.StatusCode = 403; // a link serves once: asking again shows that it has expired
            return;
        }

        byte[] content = _files[path];
        if (Damage(path, number))
            content = [.. content.Select(value => (byte)(value ^ 0x55))];
        int from = 0, to = content.Length - 1;
        if (Ranges && context.Request.GetTypedHeaders().Range?.Ranges.SingleOrDefault() is { } range)
        {
            from = (int)(range.From ?? 0);
            to = (int)Math.Min(range.To ?? to, to);
            context.Response.StatusCode = 206;
            context.Response.Headers.ContentRange = $"bytes {from}-{to}/{content.Length}";
        }

        context.Response.ContentLength = to - from + 1;
        long? cut = CutAfter(path, number);
        int send = (int)Math.Min(to - from + 1, cut ?? long.MaxValue);
        await context.Response.Body.WriteAsync(content.AsMemory(from, send));
        Interlocked.Add(ref BytesServed, send);
        if (cut is not null && send < to - from + 1)
        {
            await context.Response.Body.FlushAsync();
            context.Abort();
        }
    }
}
