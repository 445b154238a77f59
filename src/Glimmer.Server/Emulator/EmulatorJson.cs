using System.Buffers;
using System.Text.Json;
using Glimmer.Inference.Script;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Emulator;

/// <summary>Writes what the emulator tells of a run.</summary>
internal static class EmulatorJson
{
    /// <summary>Writes one object.</summary>
    public static ArrayBufferWriter<byte> Object(Action<Utf8JsonWriter> members)
    {
        var body = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return body;
    }

    /// <summary>The word of an outcome.</summary>
    public static string WordOf(RequestOutcome outcome) => outcome.ToString().ToLowerInvariant();

    public static void WriteClock(Utf8JsonWriter json, VirtualClock clock)
    {
        json.WriteString("now"u8, clock.GetUtcNow());
        json.WriteBoolean("frozen"u8, clock.IsFrozen);
    }

    public static void WriteRules(Utf8JsonWriter json, Verification verification)
    {
        json.WriteStartArray("rules"u8);
        foreach (RuleUse rule in verification.Rules)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, rule.Name);
            json.WriteNumber("uses"u8, rule.Uses);
            if (rule.Times is { } times)
                json.WriteNumber("times"u8, times);
            if (rule.Expect is { } expect)
            {
                json.WriteStartObject("expect"u8);
                json.WriteNumber("at_least"u8, expect.AtLeast);
                if (expect.AtMost is { } most)
                    json.WriteNumber("at_most"u8, most);
                json.WriteEndObject();
                json.WriteBoolean("holds"u8, rule.Holds);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("unknown"u8, verification.UnknownCount);
    }

    public static void WriteRequests(Utf8JsonWriter json, string name, IEnumerable<LoggedRequest> requests)
    {
        json.WriteStartArray(name);
        foreach (LoggedRequest request in requests)
            Write(json, request);
        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, LoggedRequest request)
    {
        json.WriteStartObject();
        json.WriteNumber("number"u8, request.Number);
        json.WriteString("time"u8, request.Time);
        json.WriteString("model"u8, request.Model);
        if (request.Origin is { } origin)
        {
            json.WriteString("request_id"u8, origin.RequestId);
            json.WriteString("dialect"u8, origin.Dialect);
            json.WriteString("path"u8, origin.Path);
            json.WriteBoolean("stream"u8, origin.Stream);
            if (origin.EndUser is { } user)
                json.WriteString("user_id"u8, user);
        }

        json.WriteStartArray("messages"u8);
        foreach (LoggedMessage message in request.Messages)
        {
            json.WriteStartObject();
            json.WriteString("role"u8, message.Role);
            json.WriteString("text"u8, message.Text);
            WriteWords(json, "calls", message.Calls);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("message_count"u8, request.MessageCount);
        WriteWords(json, "tools", request.Tools);
        json.WriteString("outcome"u8, WordOf(request.Outcome));
        json.WriteString("rule"u8, request.Rule);
        if (request.Code is { } code)
            json.WriteString("code"u8, code.Digits());
        if (request.Finish is { } finish)
            json.WriteString("finish"u8, finish.ToString());
        if (request.Checks.Count > 0)
        {
            json.WriteStartArray("checks"u8);
            foreach (PatternCheck check in request.Checks)
            {
                json.WriteStartObject();
                json.WriteString("condition"u8, check.Condition);
                json.WriteString("expected"u8, check.Expected);
                json.WriteString("actual"u8, check.Actual);
                json.WriteBoolean("held"u8, check.Held);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteWords(Utf8JsonWriter json, string name, IReadOnlyList<string> words)
    {
        if (words.Count == 0)
            return;
        json.WriteStartArray(name);
        foreach (string word in words)
            json.WriteStringValue(word);
        json.WriteEndArray();
    }
}
