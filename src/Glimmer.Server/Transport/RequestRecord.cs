using Glimmer.Inference;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Transport;

/// <summary>What is known of a request for its log line and its metrics. Never holds text of prompts or answers.</summary>
internal sealed class RequestRecord
{
    public required string Id { get; init; }

    /// <summary>Timestamp of the arrival.</summary>
    public required long Started { get; init; }

    /// <summary>The dialect that the caller speaks, by the path.</summary>
    public WireDialect Dialect { get; set; }

    /// <summary>Route pattern; "other" for paths nobody serves.</summary>
    public string Route { get; set; } = "other";

    /// <summary>Public id of the key.</summary>
    public string KeyId { get; set; } = "";

    /// <summary>Code of the catalogue; empty when none was reached.</summary>
    public string Model { get; set; } = "";

    /// <summary>Name of the backend.</summary>
    public string Backend { get; set; } = "";

    /// <summary>The error that was answered.</summary>
    public BusinessCode? Code { get; set; }

    /// <summary>Path of the field at fault.</summary>
    public string Field { get; set; } = "";

    /// <summary>The finish reason that was sent.</summary>
    public string Finish { get; set; } = "";

    public bool Stream { get; set; }

    public bool ClientLeft { get; set; }

    public ChatUsage Usage { get; set; }

    /// <summary>Timestamp of the first event; 0 when there was none.</summary>
    public long FirstEvent { get; set; }

    public static RequestRecord Of(HttpContext context) => context.Features.Get<RequestRecord>()!;
}
