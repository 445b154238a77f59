using System.Text;
using System.Text.Json;

namespace Glimmer.Models.Configuration;

/// <summary>The fields of a JSON object. Files are bounded in size and depth.</summary>
internal sealed class JsonConfigFields : ConfigFields
{
    private const int MaxBytes = 16 << 20;
    private const int MaxDepth = 32;
    private const int MaxListItems = 1 << 16;
    private readonly JsonElement _element;

    private JsonConfigFields(string file, string path, JsonElement element)
        : base(file, path) => _element = element;

    /// <summary>Reads a file whose top is one object.</summary>
    /// <exception cref="ModelFileException">It cannot be read, is too large, is not JSON, or is not an object.</exception>
    public static JsonConfigFields Open(string file)
    {
        byte[] bytes;
        try
        {
            long length = new FileInfo(file).Length;
            if (length > MaxBytes)
                throw new ModelFileException(file, $"{length} bytes are too many for a configuration; at most {MaxBytes} are read.");
            bytes = System.IO.File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException(file, $"cannot be read: {e.Message}", e);
        }

        return Parse(file, bytes);
    }

    /// <summary>Reads the bytes of an object.</summary>
    public static JsonConfigFields Parse(string file, byte[] json)
    {
        ReadOnlyMemory<byte> text = json.AsSpan().StartsWith("\uFEFF"u8) ? json.AsMemory(3) : json;
        try
        {
            using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = MaxDepth });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new ModelFileException(file, $"the top is {document.RootElement.ValueKind}; it must be a JSON object.");
            return new JsonConfigFields(file, "", document.RootElement.Clone());
        }
        catch (JsonException e)
        {
            string near = LastKey(text.Span);
            throw new ModelFileException(file, $"is not valid JSON{(near.Length == 0 ? "" : $" (at the value of \"{near}\")")}: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new ModelFileException(file, "is not valid UTF-8.", e);
        }
    }

    /// <inheritdoc/>
    protected override bool TryRead(string key, out object value)
    {
        value = "";
        if (!_element.TryGetProperty(key, out JsonElement found) || found.ValueKind == JsonValueKind.Null)
            return false;
        value = Convert(key, found);
        return true;
    }

    private object Convert(string key, JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Number:
                return element.TryGetInt64(out long integer) ? (object)integer : element.GetDouble();
            case JsonValueKind.True or JsonValueKind.False:
                return element.GetBoolean();
            case JsonValueKind.String:
                try
                {
                    return element.GetString() ?? "";
                }
                catch (InvalidOperationException e)
                {
                    throw new ModelFileException(File, $"\"{Path}{key}\" is not valid UTF-8.", e);
                }

            case JsonValueKind.Array:
                if (element.GetArrayLength() > MaxListItems)
                    throw new ModelFileException(File, $"\"{Path}{key}\" has {element.GetArrayLength()} items; at most {MaxListItems} are allowed.");
                return element.EnumerateArray().Select(item => Convert(key, item)).ToArray();
            case JsonValueKind.Object:
                return new JsonConfigFields(File, $"{Path}{key}.", element);
            default:
                return "null";
        }
    }

    // The last property name before the fault, so that a NaN can be found in a long file.
    private static string LastKey(ReadOnlySpan<byte> text)
    {
        string key = "";
        Utf8JsonReader reader = new(text, new JsonReaderOptions { MaxDepth = MaxDepth });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName)
                    key = Encoding.UTF8.GetString(reader.ValueSpan[..Math.Min(reader.ValueSpan.Length, 80)]);
            }
        }
        catch (JsonException)
        {
            // The second time over the same fault: the caller reports it.
        }

        return key;
    }
}
