using System.Buffers.Binary;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;
using YamlDotNet.RepresentationModel;

namespace Glimmer.Inference.Script;

/// <summary>Reads recordings as <see cref="RecordingText"/> writes them.</summary>
internal static class RecordingFields
{
    public static Recording Read(YamlFields fields, YamlNode node)
    {
        Recording recording = new() { Fingerprint = "" };
        foreach ((string key, YamlNode value) in fields.Members(node, "a recording"))
        {
            recording = key switch
            {
                "fingerprint" => recording with { Fingerprint = Fingerprint(fields, value) },
                "summary" => recording with { Summary = fields.Word(value, key) },
                "refused" => recording with { Refused = ReadError(fields, value) },
                "fault" => recording with { Fault = fields.OneOf(value, key, RecordingText.Faults) },
                "embedding" => recording with { Embedding = ReadVectors(fields, value) },
                "finish" => recording with { Finish = fields.OneOf(value, key, RecordingText.Ends) },
                "usage" => recording with { Usage = ReadUsage(fields, value) },
                "stop_text" => recording with { StopText = fields.Word(value, key) },
                "error" => recording with { Error = ReadError(fields, value) },
                "events" => recording with { Events = [.. fields.Items(value, key).Select(said => ReadEvent(fields, said))] },
                _ => throw fields.Unknown(value, key, "fingerprint, summary, refused, fault, embedding, finish, usage, stop_text, error, events"),
            };
        }

        if (recording is { Embedding.Vectors.Count: 0, Refused: null })
            throw fields.Wrong(node, "a recording of an embedding needs vectors, or refused.");
        return recording.Fingerprint.Length > 0 ? recording : throw fields.Wrong(node, "a recording needs a fingerprint.");
    }

    private static RecordedVectors ReadVectors(YamlFields fields, YamlNode node)
    {
        string? model = null;
        int tokens = 0;
        List<float[]> vectors = [];
        foreach ((string key, YamlNode value) in fields.Members(node, "embedding"))
        {
            switch (key)
            {
                case "model":
                    model = fields.Word(value, key);
                    break;
                case "tokens":
                    tokens = fields.Whole(value, key, 0);
                    break;
                case "vectors":
                    vectors.AddRange(fields.Items(value, key).Select(vector => ReadVector(fields, vector)));
                    break;
                default:
                    throw fields.Unknown(value, key, "model, tokens, vectors");
            }
        }

        if (vectors.Exists(vector => vector.Length != vectors[0].Length))
            throw fields.Wrong(node, "the vectors of a recording are all of one length.");
        return new RecordedVectors(model ?? throw fields.Wrong(node, "embedding needs the model that made it."), tokens, vectors);
    }

    private static float[] ReadVector(YamlFields fields, YamlNode node)
    {
        byte[] bytes = Bytes(fields, node);
        float[] vector = new float[bytes.Length / sizeof(float)];
        for (int i = 0; i < vector.Length; i++)
        {
            vector[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(i * sizeof(float)));
            if (!float.IsFinite(vector[i]))
                throw fields.Wrong(node, "a vector has numbers only.");
        }

        return vector.Length > 0 && bytes.Length % sizeof(float) == 0 ? vector : throw fields.Wrong(node, "a vector is base64 of four bytes for each of its numbers, one at least.");
    }

    private static string Fingerprint(YamlFields fields, YamlNode node)
    {
        string text = fields.Word(node, "fingerprint");
        return text.Length == 64 && text.All(char.IsAsciiHexDigitLower) ? text : throw fields.Wrong(node, "fingerprint must be 64 hexadecimal digits, as it was recorded.");
    }

    private static ChatUsage ReadUsage(YamlFields fields, YamlNode node)
    {
        ChatUsage usage = default;
        foreach ((string key, YamlNode value) in fields.Members(node, "usage"))
        {
            int count = fields.Whole(value, key, 0);
            usage = key switch
            {
                "prompt" => usage with { PromptTokens = count },
                "cached" => usage with { CachedTokens = count },
                "completion" => usage with { CompletionTokens = count },
                "reasoning" => usage with { ReasoningTokens = count },
                _ => throw fields.Unknown(value, key, "prompt, cached, completion, reasoning"),
            };
        }

        return usage;
    }

    private static RecordedEvent ReadEvent(YamlFields fields, YamlNode node)
    {
        ChatEvent? said = null;
        int at = 0;
        int index = -1;
        IReadOnlyList<SaidToken>? tokens = null;
        foreach ((string key, YamlNode value) in fields.Members(node, "an event"))
        {
            switch (key)
            {
                case "at":
                    at = fields.Whole(value, key, 0);
                    break;
                case "index":
                    index = fields.Whole(value, key, 0, 10_000);
                    break;
                case "tokens":
                    tokens = [.. fields.Items(value, key).Select(token => ReadToken(fields, token))];
                    break;
                default:
                    int kind = Array.FindIndex(RecordingText.Kinds, pair => string.Equals(pair.Word, key, StringComparison.Ordinal));
                    if (kind < 0)
                        throw fields.Unknown(value, key, $"at, index, tokens, {string.Join(", ", RecordingText.Kinds.Select(pair => pair.Word))}");
                    said = new ChatEvent(RecordingText.Kinds[kind].Kind, fields.Word(value, key));
                    break;
            }
        }

        return said is { } event_
            ? new RecordedEvent(event_ with { ToolIndex = index, Tokens = tokens }, at)
            : throw fields.Wrong(node, $"an event needs one of {string.Join(", ", RecordingText.Kinds.Select(pair => pair.Word))}.");
    }

    private static SaidToken ReadToken(YamlFields fields, YamlNode node)
    {
        if (fields.Items(node, "a token") is not [var bytes, var chance, var top])
            throw fields.Wrong(node, "a token is a list of its bytes in base64, its probability and the list of others.");
        return new SaidToken(Bytes(fields, bytes), Chance(fields, chance), [.. fields.Items(top, "tokens").Select(other => fields.Items(other, "a token") is [var text, var likely]
            ? new TokenChance(Bytes(fields, text), Chance(fields, likely))
            : throw fields.Wrong(other, "another token is a list of its bytes in base64 and its probability."))]);
    }

    private static byte[] Bytes(YamlFields fields, YamlNode node)
    {
        try
        {
            return Convert.FromBase64String(fields.Word(node, "base64"));
        }
        catch (FormatException fault)
        {
            throw fields.Wrong(node, "this must be base64.", fault);
        }
    }

    private static float Chance(YamlFields fields, YamlNode node) => (float)fields.Number(node, "a probability", double.MaxValue, double.MinValue);

    private static PlatformError ReadError(YamlFields fields, YamlNode node)
    {
        BusinessCode? code = null;
        string message = "";
        PlatformError error = new(BusinessCode.Internal, "");
        foreach ((string key, YamlNode value) in fields.Members(node, "error"))
        {
            switch (key)
            {
                case "code":
                    code = fields.Code(value, key);
                    break;
                case "message":
                    message = fields.Word(value, key);
                    break;
                case "status":
                    error = error with { Status = fields.Whole(value, key, 100, 599) };
                    break;
                case "status_is_final":
                    error = error with { StatusIsFinal = fields.Flag(value, key) };
                    break;
                case "chinese":
                    error = error with { Chinese = fields.Word(value, key) };
                    break;
                case "field":
                    error = error with { Field = fields.Word(value, key) };
                    break;
                case "retry_after":
                    error = error with { RetryAfter = TimeSpan.FromSeconds(fields.Number(value, key, 31_536_000)) };
                    break;
                default:
                    throw fields.Unknown(value, key, "code, message, status, status_is_final, chinese, field, retry_after");
            }
        }

        return error with { Code = code ?? throw fields.Wrong(node, "error needs a code, for example 1302."), Message = message };
    }
}
