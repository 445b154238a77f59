namespace Glimmer.Server.Transport;

/// <summary>
/// Operations of the platform (spec: api.md §1.2) that this build does not serve. They answer 1221, "is offline", so that
/// a client learns that the address is right and the service is not there, and does not retry.
/// </summary>
internal static class PlannedRoutes
{
    private static readonly string[][] Paas = Split(
        "/images/generations", "/async/images/generations", "/videos/generations",
        "/audio/speech", "/audio/customization", "/audio/transcriptions", "/voice/clone", "/voice/list", "/voice/delete",
        "/embeddings", "/rerank", "/moderations", "/web_search", "/reader", "/layout_parsing", "/tools",
        "/files", "/files/*", "/files/*/content", "/files/parser/create", "/files/parser/result/*/*", "/files/parser/sync", "/files/ocr",
        "/batches", "/batches/*", "/batches/*/cancel",
        "/fine_tuning/jobs", "/fine_tuning/jobs/*", "/fine_tuning/jobs/*/events", "/fine_tuning/jobs/*/cancel", "/fine_tuning/fine_tuned_models/*",
        "/v1/agents", "/v1/agents/async-result", "/v1/agents/conversation",
        "/assistant", "/assistant/list", "/assistant/conversation/list",
        "/knowledge", "/knowledge/*", "/document", "/document/*", "/realtime");

    private static readonly string[][] Others = Split(
        "/api/v1/agents", "/api/v1/agents/async-result", "/api/v1/agents/conversation",
        "/api/mcp/*/mcp", "/api/mcp/*/sse", "/api/mcp-broker/proxy/*/mcp", "/api/mcp-broker/proxy/*/sse",
        "/api/zrag/retrieval/retrieve", "/api/zrag/agent/chat",
        "/api/llm-application/open/knowledge", "/api/llm-application/open/knowledge/*",
        "/api/llm-application/open/document", "/api/llm-application/open/document/*", "/api/llm-application/open/document/*/*",
        "/api/llm-application/open/document/slice/image_list/*",
        "/api/llm-application/open/v2/application/*", "/api/llm-application/open/v2/application/*/variables",
        "/api/llm-application/open/v2/application/*/conversation", "/api/llm-application/open/v3/application/invoke",
        "/api/llm-application/open/history_session_record/*/*");

    /// <summary>Whether a normalised path belongs to one of them.</summary>
    public static bool Contains(string path)
    {
        const string Base = "/api/paas/v4";
        if (path.StartsWith(Base + "/", StringComparison.OrdinalIgnoreCase))
            return Matches(Paas, path[Base.Length..]);
        return Matches(Others, path);
    }

    private static bool Matches(string[][] patterns, string path)
    {
        string[] parts = path.Split('/');
        return Array.Exists(patterns, pattern => Matches(pattern, parts));
    }

    private static bool Matches(string[] pattern, string[] parts)
    {
        if (pattern.Length != parts.Length)
            return false;
        for (int i = 0; i < parts.Length; i++)
        {
            if (pattern[i] != "*" && !string.Equals(pattern[i], parts[i], StringComparison.OrdinalIgnoreCase))
                return false;
        }

        return true;
    }

    private static string[][] Split(params string[] paths) => [.. paths.Select(path => path.Split('/'))];
}
