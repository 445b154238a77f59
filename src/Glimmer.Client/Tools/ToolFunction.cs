using System.Text.Json.Nodes;

namespace Glimmer.Client;

/// <summary>A function of this program that a model may call.</summary>
/// <param name="Name">1 to 64 of letters, digits, <c>_</c> and <c>-</c>.</param>
/// <param name="Description">What it does, for the model.</param>
/// <param name="Parameters">What it takes.</param>
/// <param name="Run">Does it: from the arguments to a text for the model.</param>
public sealed record ToolFunction(string Name, string Description, ToolParameters Parameters, Func<JsonObject, CancellationToken, Task<string>> Run)
{
    /// <summary>A function that does not wait.</summary>
    public ToolFunction(string name, string description, ToolParameters parameters, Func<JsonObject, string> run)
        : this(name, description, parameters, (arguments, _) => Task.FromResult(run(arguments)))
    {
    }

    /// <summary>The function as the model sees it.</summary>
    public Tool ToTool() => Tool.OfFunction(Name, Description, Parameters.ToSchema());
}

/// <summary>Parameters of a function, described one by one, or by a JSON schema.</summary>
public sealed class ToolParameters
{
    private readonly JsonObject _properties = [];
    private readonly List<string> _required = [];
    private readonly JsonObject? _schema;

    /// <summary>No parameters yet.</summary>
    public ToolParameters()
    {
    }

    /// <summary>Parameters by a JSON schema.</summary>
    public ToolParameters(JsonObject schema) => _schema = schema;

    /// <summary>Adds a text.</summary>
    public ToolParameters Text(string name, string description, bool required = true, params IReadOnlyList<string> values)
    {
        JsonObject property = Add("string", name, description, required);
        if (values.Count > 0)
            property["enum"] = new JsonArray([.. values.Select(value => (JsonNode)JsonValue.Create(value))]);
        return this;
    }

    /// <summary>Adds a number.</summary>
    public ToolParameters Number(string name, string description, bool required = true) => With("number", name, description, required);

    /// <summary>Adds a whole number.</summary>
    public ToolParameters Whole(string name, string description, bool required = true) => With("integer", name, description, required);

    /// <summary>Adds a yes or no.</summary>
    public ToolParameters Flag(string name, string description, bool required = true) => With("boolean", name, description, required);

    /// <summary>Adds a parameter by its own JSON schema.</summary>
    public ToolParameters Property(string name, JsonObject schema, bool required = true)
    {
        Take(name, required, schema);
        return this;
    }

    /// <summary>The JSON schema.</summary>
    public JsonObject ToSchema() => _schema is not null ? (JsonObject)_schema.DeepClone() : new JsonObject
    {
        ["type"] = "object",
        ["properties"] = _properties.DeepClone(),
        ["required"] = new JsonArray([.. _required.Select(name => (JsonNode)JsonValue.Create(name))]),
    };

    private ToolParameters With(string type, string name, string description, bool required)
    {
        Add(type, name, description, required);
        return this;
    }

    private JsonObject Add(string type, string name, string description, bool required)
    {
        var property = new JsonObject { ["type"] = type, ["description"] = description };
        Take(name, required, property);
        return property;
    }

    private void Take(string name, bool required, JsonObject schema)
    {
        if (_schema is not null)
            throw new InvalidOperationException("The parameters are described by a schema already.");
        _properties.Add(name, schema);
        if (required)
            _required.Add(name);
    }
}

/// <summary>A tool could not do what the model asked; the model is told the message and may try otherwise.</summary>
public sealed class ToolException(string message) : Exception(message);
