using System.Text.Json;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Benchmarks.Dialogue;

/// <summary>A function such as clients offer, and a call of it.</summary>
internal static class FlightFunction
{
    /// <summary>A call of <c>book_flight</c> as GLM-4.7 writes it, without the tags around it.</summary>
    public const string Call =
        "book_flight<arg_key>origin</arg_key><arg_value>Hamburg</arg_value><arg_key>destination</arg_key><arg_value>San Sebastián</arg_value>" +
        "<arg_key>date</arg_key><arg_value>2026-03-14</arg_value><arg_key>passengers</arg_key><arg_value>12</arg_value>" +
        "<arg_key>cabin</arg_key><arg_value>economy</arg_value><arg_key>flexible</arg_key><arg_value>true</arg_value>" +
        "<arg_key>extras</arg_key><arg_value>[{\"name\": \"bicycle\", \"count\": 2}]</arg_value>";

    /// <summary>The function under a name.</summary>
    public static ToolDefinition Tool(string name) => new(name, JsonDocument.Parse($$$"""
        {
          "type": "function",
          "function": {
            "name": "{{{name}}}",
            "description": "Books a flight for a group.",
            "parameters": {
              "type": "object",
              "properties": {
                "origin": {"type": "string", "minLength": 2, "maxLength": 60, "description": "City or airport"},
                "destination": {"type": "string", "minLength": 2, "maxLength": 60},
                "date": {"type": "string", "format": "date"},
                "passengers": {"type": "integer", "minimum": 1, "maximum": 20},
                "cabin": {"type": "string", "enum": ["economy", "premium", "business", "first"]},
                "flexible": {"type": "boolean"},
                "extras": {
                  "type": "array",
                  "maxItems": 5,
                  "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "count": {"type": "integer", "minimum": 1}, "note": {"type": ["string", "null"]}},
                    "required": ["name", "count"],
                    "additionalProperties": false
                  }
                }
              },
              "required": ["origin", "destination", "date", "passengers"],
              "additionalProperties": false
            }
          }
        }
        """).RootElement);
}
