using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Answers;

/// <summary>Names of fields as each endpoint has them, for the errors that backends find: those know one form of a request alone.</summary>
internal static class FieldNames
{
    private const string Format = "response_format";
    private const string Schema = Format + ".json_schema";

    /// <summary>The error with the field that the caller sent.</summary>
    /// <param name="error">As the backend tells it.</param>
    /// <param name="endpoint">Short name of the endpoint, as in usage rows.</param>
    public static PlatformError Of(PlatformError error, string endpoint)
    {
        if (error.Field is not { } field)
            return error;
        foreach ((string from, string to) in NamesOf(endpoint))
        {
            if (!field.StartsWith(from, StringComparison.Ordinal) || (field.Length > from.Length && field[from.Length] is not ('.' or '[')))
                continue;
            string named = to + field[from.Length..];
            return error with { Field = named, Message = Renamed(error.Message)!, Chinese = Renamed(error.Chinese) };

            // "messages" may also be a word of the sentence.
            string? Renamed(string? text) => from.StartsWith(Format, StringComparison.Ordinal) ? text?.Replace(field, named, StringComparison.Ordinal) : text;
        }

        return error;
    }

    private static (string From, string To)[] NamesOf(string endpoint) => endpoint switch
    {
        "responses" => [(Schema, "text.format"), (Format, "text.format"), ("messages", "input")],
        "messages" => [(Schema, "output_config.format"), (Format, "output_config.format")],
        "ollama-chat" => [(Schema + ".schema", "format"), (Format, "format")],
        "ollama-generate" => [(Schema + ".schema", "format"), (Format, "format"), ("messages", "prompt")],
        "llama-completion" or "llama-infill" => [(Schema + ".schema", "json_schema"), (Format + ".grammar", "grammar")],
        _ => [],
    };
}
