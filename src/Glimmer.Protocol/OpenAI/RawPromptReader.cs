using System.Globalization;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Reads prompts that no template touches: a text, token ids, or a list of either.</summary>
public static class RawPromptReader
{
    /// <summary>Most ids of a prompt.</summary>
    public const int MaxTokens = 1 << 20;

    /// <summary>Reads a field, which must be there.</summary>
    /// <param name="body">The body.</param>
    /// <param name="field">The member.</param>
    /// <param name="maxCount">Most prompts.</param>
    /// <param name="suffix">What comes after the gap; null for nothing.</param>
    public static IReadOnlyList<WireRawPrompt> Read(FieldReader body, string field, int maxCount, string? suffix)
    {
        string legal = maxCount == 1
            ? "Send a string, or a list of token ids"
            : string.Create(CultureInfo.InvariantCulture, $"Send a string or a list of token ids, or a list of at most {maxCount} of them");
        if (!body.TryGet(field, out JsonElement value))
        {
            if (body.Error is null)
                body.Fail(PlatformError.Missing(field, legal));
            return [];
        }

        List<WireRawPrompt> prompts = [];
        bool isList = value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0 && value[0].ValueKind != JsonValueKind.Number;
        if (!isList)
        {
            Add(body, field, field, value, suffix, legal, prompts);
        }
        else if (value.GetArrayLength() > maxCount)
        {
            body.Fail(PlatformError.Invalid(field, string.Create(CultureInfo.InvariantCulture, $"it has {value.GetArrayLength()} items"), legal));
        }
        else
        {
            foreach (JsonElement item in value.EnumerateArray())
                Add(body, field, string.Create(CultureInfo.InvariantCulture, $"{field}[{prompts.Count}]"), item, suffix, legal, prompts);
        }

        return prompts;
    }

    private static void Add(FieldReader body, string field, string path, JsonElement value, string? suffix, string legal, List<WireRawPrompt> prompts)
    {
        if (body.Error is not null)
            return;
        switch (value.ValueKind)
        {
            // Before a gap there may be nothing.
            case JsonValueKind.String when value.GetString() is { } text && (text.Length > 0 || suffix is not null):
                prompts.Add(new WireRawPrompt(text, null, suffix, field));
                break;
            case JsonValueKind.Array when value.GetArrayLength() is > 0 and <= MaxTokens:
                int[] ids = new int[value.GetArrayLength()];
                for (int i = 0; i < ids.Length; i++)
                {
                    JsonElement item = value[i];
                    if (item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out ids[i]) && ids[i] >= 0)
                        continue;
                    body.Fail(PlatformError.Invalid(string.Create(CultureInfo.InvariantCulture, $"{path}[{i}]"), $"it is {FieldReader.Describe(item)}", legal));
                    return;
                }

                prompts.Add(new WireRawPrompt("", ids, suffix, field));
                break;
            case JsonValueKind.Array when value.GetArrayLength() > MaxTokens:
                body.Fail(PlatformError.Invalid(path, string.Create(CultureInfo.InvariantCulture, $"it has {value.GetArrayLength()} ids"), legal));
                break;
            default:
                body.Fail(PlatformError.Invalid(path, $"it is {FieldReader.Describe(value)}", legal));
                break;
        }
    }
}
