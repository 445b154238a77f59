using System.Text;
using System.Text.Json;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Tasks;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Tasks;

/// <summary>
/// Reads the body of <c>POST /v1/messages/batches</c>: names and the outer shape. What the requests ask is checked when each runs, as Anthropic
/// has it, and told in its result.
/// </summary>
internal static class MessageBatchReader
{
    /// <summary>Most requests of a batch.</summary>
    public const int MaxRequests = 10_000;

    private const int LongestName = 64;

    /// <summary>Reads the requests as tasks.</summary>
    public static (List<NewTask>? Tasks, PlatformError? Error) Read(FieldReader body, AccessKey key, DateTimeOffset now)
    {
        IReadOnlyList<FieldReader>? requests = body.Objects("requests", "Send a list of objects such as {\"custom_id\":\"a\",\"params\":{…}}", required: true, max: MaxRequests);
        if (requests is null)
            return (null, body.Error);
        if (requests.Count == 0)
            return (null, PlatformError.Invalid("requests", "it is empty", $"Send 1 to {MaxRequests} requests"));
        var tasks = new List<NewTask>(requests.Count);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (FieldReader request in requests)
        {
            string? name = request.Text("custom_id", required: true, min: 1, max: LongestName);
            if (name is not null && name.AsSpan().ContainsAnyExcept(NameLetters))
                request.Fail(PlatformError.Invalid(request.PathOf("custom_id"), "it has other characters", "Use letters, digits, _ and -"));
            else if (name is not null && !names.Add(name))
                request.Fail(PlatformError.Invalid(request.PathOf("custom_id"), "it comes twice", "Use each name once in a batch"));
            FieldReader? asked = request.Object("params", "Send the body of a message", required: true);
            if (body.Error is not null)
                return (null, body.Error);
            JsonElement parameters = asked!.Value.Element;
            tasks.Add(new NewTask(RequestIds.NewRequestId(now), key.AccountId, key.Id, TaskKinds.Messages, Encoding.UTF8.GetBytes(parameters.GetRawText())) { Item = name });
        }

        return (tasks, null);
    }

    private static readonly System.Buffers.SearchValues<char> NameLetters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
}
