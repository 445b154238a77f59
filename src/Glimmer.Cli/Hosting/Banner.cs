using System.Reflection;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Routing;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Hosting;

/// <summary>What a person needs to know when the platform has started.</summary>
internal static class Banner
{
    /// <summary>Version of this build.</summary>
    public static string Version =>
        typeof(Banner).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";

    /// <summary>Writes address, key, model, data folder and a request that works as pasted.</summary>
    public static void Write(TextWriter output, GlimmerServer server, GlimmerOptions options, ModelPackage package, bool standIn) =>
        Write(output, server, options, $"{package.Code}: {package.Description.Architecture}, {package.Description.Parameters / 1e6:0.#} M parameters", package.Code, standIn);

    /// <summary>Writes address, key, backends and their models, data folder and a request that works as pasted.</summary>
    public static void Write(TextWriter output, GlimmerServer server, GlimmerOptions options, BackendPool pool, string? standIn)
    {
        const int Shown = 12;
        IReadOnlyList<BackendStatus> backends = pool.List();
        string models = string.Join(", ", pool.Models.Take(Shown).Select(static model => model.Code)) + (pool.Models.Count > Shown ? $" and {pool.Models.Count - Shown} more" : "");
        string names = string.Join(", ", backends.Take(Shown).Select(static backend => backend.Name)) + (backends.Count > Shown ? $" and {backends.Count - Shown} more" : "");
        string line = pool.Models.Count == 0 ? $"none: {options.BackendsFile} names no backend" : $"{models}; from {names}";
        Write(output, server, options, line, standIn ?? (pool.Models.Count > 0 ? pool.Models[0].Code : "glm-4.7"), standIn is not null);
    }

    /// <summary>Writes address, key, models, data folder and a request that works as pasted.</summary>
    public static void Write(TextWriter output, GlimmerServer server, GlimmerOptions options, string models, string code, bool standIn)
    {
        string url = server.Addresses[0].ToString().TrimEnd('/');
        string key = server.FirstKey?.Credential ?? "$GLIMMER_API_KEY";
        output.WriteLine($"""

            Glimmer {Version} is ready at {url}

              model  {models}{(standIn ? $"; {(models.StartsWith(code + ":", StringComparison.Ordinal) ? "" : code + " ")}stands in for every chat model without a backend of its own" : "")}
              data   {Path.GetFullPath(options.DataFolder)}
              key    {(server.FirstKey is { } made ? $"{made.Credential}   (made now; it is not shown again)" : "as shown at the first start; `glimmer keys create` makes another. Put it into GLIMMER_API_KEY for the line below.")}

            Try it:
            curl {url}/api/paas/v4/chat/completions -H "Authorization: Bearer {key}" -H "Content-Type: application/json" -d '{"{"}"model": "{(standIn ? "glm-4.7" : code)}", "messages": [{"{"}"role": "user", "content": "Hello!"{"}"}]{"}"}'

            Ctrl-C stops it.
            """);
        output.Flush();
    }
}
