namespace Glimmer.Platform.Responses;

/// <summary>An item of a response or of a conversation.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Json">Its JSON text.</param>
public sealed record StoredItem(string Id, string Json);

/// <summary>A response as it is kept.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Account">Whose it is.</param>
/// <param name="Status">Its status, as the body says it.</param>
/// <param name="Created">When it was asked for; Unix milliseconds.</param>
/// <param name="Previous">The response it goes on from; null for none.</param>
/// <param name="Input">Its own input: the JSON text of a list of items, each with an id.</param>
/// <param name="Body">The JSON text of the response.</param>
public sealed record StoredResponse(string Id, long Account, string Status, long Created, string? Previous, string Input, string Body)
{
    /// <summary>The items of its output.</summary>
    public IReadOnlyList<StoredItem> Output { get; init; } = [];

    /// <summary>Where a stream of it was cut into pieces; null when it never was one.</summary>
    public string? Marks { get; init; }

    /// <summary>How many numbers its runs may have given to events, of a background response that is streamed.</summary>
    public long Sequence { get; init; }

    /// <summary>Whether it is still being made.</summary>
    public bool IsOpen => Status is "queued" or "in_progress";
}

/// <summary>A conversation.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Account">Whose it is.</param>
/// <param name="Created">When it was made; Unix milliseconds.</param>
/// <param name="Metadata">The JSON text of an object.</param>
public sealed record StoredConversation(string Id, long Account, long Created, string Metadata);
