using System.Text.Json;
using Glimmer.Protocol.Errors;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Glimmer.Inference.Script;

/// <summary>Reads replies and the errors in their place.</summary>
internal static class ReplyFields
{
    public static ScriptedReply Read(YamlFields fields, YamlNode node)
    {
        if (node is YamlScalarNode { Style: ScalarStyle.Plain, Value: "" or "~" or "null" or null })
            throw fields.Wrong(node, "the reply is empty; write \"\" for an answer without text.");
        if (node is YamlScalarNode text)
            return new ScriptedReply { Text = text.Value ?? "" };
        ScriptedReply reply = new();
        foreach ((string key, YamlNode value) in fields.Members(node, "reply"))
        {
            reply = key switch
            {
                "thinking" => reply with { Thinking = fields.Word(value, key) },
                "text" => reply with { Text = fields.Word(value, key) },
                "raw" => reply with { Raw = fields.Word(value, key) },
                "tool_calls" => reply with { ToolCalls = [.. fields.Items(value, key).Select(call => ReadCall(fields, call))] },
                "repeat" => reply with { Repeat = fields.Whole(value, key, 1, 1_000_000) },
                "end" => reply with { End = fields.OneOf(value, key, ("stop", ScriptedEnd.Stop), ("length", ScriptedEnd.Length), ("sensitive", ScriptedEnd.Sensitive)) },
                "error" => reply with { Error = ReadError(fields, value) },
                "delay" => reply with { Delay = fields.Seconds(value, key) },
                "jitter" => reply with { Jitter = fields.Seconds(value, key) },
                "rate" => reply with { Rate = fields.Number(value, key, 1e6) },
                "cut_after" => reply with { CutAfter = fields.Whole(value, key, 0) },
                "cached_tokens" => reply with { CachedTokens = fields.Whole(value, key, 0) },
                _ => throw fields.Unknown(value, key, "thinking, text, raw, tool_calls, repeat, end, error, delay, jitter, rate, cut_after, cached_tokens"),
            };
        }

        if (reply.Raw is not null && (reply.Text ?? reply.Thinking) is not null)
            throw fields.Wrong(node, "raw is the whole output; leave out text and thinking beside it.");
        return reply;
    }

    public static ScriptedError ReadError(YamlFields fields, YamlNode node)
    {
        BusinessCode? code = null;
        string? message = null;
        TimeSpan? retryAfter = null;
        int? status = null;
        foreach ((string key, YamlNode value) in node is YamlScalarNode ? [("code", node)] : fields.Members(node, "error"))
        {
            switch (key)
            {
                case "code":
                    code = fields.Code(value, key);
                    break;
                case "status":
                    status = fields.Whole(value, key, 400, 599);
                    break;
                case "message":
                    message = fields.Word(value, key);
                    break;
                case "retry_after":
                    retryAfter = fields.Seconds(value, key);
                    break;
                default:
                    throw fields.Unknown(value, key, "code, status, message, retry_after");
            }
        }

        return new ScriptedError(code ?? CodeOf(status) ?? throw fields.Wrong(node, "error needs a code, for example 1302, or a status."), message, retryAfter) { Status = status };
    }

    /// <summary>The platform's usual code for a status, where the scenario names only that.</summary>
    private static BusinessCode? CodeOf(int? status) => status switch
    {
        null => null,
        401 => BusinessCode.AuthenticationFailed,
        403 => BusinessCode.ApiForbidden,
        404 => BusinessCode.ModelMissing,
        429 => BusinessCode.ConcurrencyExceeded,
        500 => BusinessCode.Internal,
        >= 502 => BusinessCode.Overloaded,
        _ => status < 500 ? BusinessCode.CallIncorrect : BusinessCode.Internal,
    };

    private static ScriptedCall ReadCall(YamlFields fields, YamlNode node)
    {
        string? name = null;
        JsonElement arguments = JsonSerializer.SerializeToElement(new { });
        foreach ((string key, YamlNode value) in fields.Members(node, "a call"))
        {
            switch (key)
            {
                case "name":
                    name = fields.Word(value, key);
                    break;
                case "arguments":
                    arguments = ReadArguments(fields, value);
                    break;
                default:
                    throw fields.Unknown(value, key, "name, arguments");
            }
        }

        return new ScriptedCall(name ?? throw fields.Wrong(node, "a call needs the name of its function."), arguments);
    }

    private static JsonElement ReadArguments(YamlFields fields, YamlNode node)
    {
        JsonElement arguments;
        try
        {
            arguments = node is YamlScalarNode { Value: { } json } ? JsonDocument.Parse(json).RootElement : YamlJson.Read(node);
        }
        catch (Exception fault) when (fault is JsonException or FormatException or ArgumentException)
        {
            throw fields.Wrong(node, $"arguments: {fault.Message}", fault);
        }

        return arguments.ValueKind == JsonValueKind.Object ? arguments : throw fields.Wrong(node, "arguments must be an object.");
    }
}
