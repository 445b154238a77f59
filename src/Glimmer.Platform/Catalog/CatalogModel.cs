namespace Glimmer.Platform.Catalog;

/// <summary>What a model code is for.</summary>
public enum ModelKind
{
    /// <summary>Chat in text.</summary>
    Text,

    /// <summary>Chat in text that always reasons (GLM-Z1).</summary>
    Reasoning,

    /// <summary>Chat with pictures and films.</summary>
    Vision,

    /// <summary>Persona chat.</summary>
    RolePlay,

    /// <summary>Code completion in chat form.</summary>
    Code,

    /// <summary>Chat of the assistant API, with its own tools.</summary>
    Agent,

    /// <summary>Operates a phone from screenshots.</summary>
    Phone,

    /// <summary>Chat in speech.</summary>
    SpeechChat,

    /// <summary>Realtime sessions.</summary>
    Realtime,

    /// <summary>Text recognition.</summary>
    Ocr,

    /// <summary>Makes pictures.</summary>
    Image,

    /// <summary>Makes films.</summary>
    Video,

    /// <summary>Speech to text.</summary>
    Transcription,

    /// <summary>Text to speech.</summary>
    Speech,

    /// <summary>Clones voices.</summary>
    VoiceClone,

    /// <summary>Text to vectors.</summary>
    Embedding,

    /// <summary>Orders texts.</summary>
    Rerank,

    /// <summary>Judges content.</summary>
    Moderation,

    /// <summary>A search engine.</summary>
    Search,
}

/// <summary>Where a code stands in its life.</summary>
public enum ModelState
{
    /// <summary>Offered.</summary>
    Current,

    /// <summary>Superseded but callable.</summary>
    Old,

    /// <summary>Withdrawn: calls go to <see cref="CatalogModel.Successor"/> when there is one.</summary>
    Retired,

    /// <summary>A name that appears in pages but was never served.</summary>
    Unserved,
}

/// <summary>When a model thinks while thinking is enabled.</summary>
public enum ThinkingRule
{
    /// <summary>It cannot.</summary>
    None,

    /// <summary>It decides itself.</summary>
    Dynamic,

    /// <summary>Always.</summary>
    Forced,
}

/// <summary>One model code of the catalogue.</summary>
public sealed record CatalogModel
{
    /// <summary>Code in lower case.</summary>
    public required string Code { get; init; }

    /// <summary>What it is for.</summary>
    public required ModelKind Kind { get; init; }

    /// <summary>Where it stands.</summary>
    public ModelState State { get; init; } = ModelState.Current;

    /// <summary>Context window in tokens; 0 where the idea does not apply.</summary>
    public int Context { get; init; }

    /// <summary><c>max_tokens</c> when the request has none; 0 where it does not apply.</summary>
    public int DefaultOutput { get; init; }

    /// <summary>Largest <c>max_tokens</c>; 0 where it does not apply.</summary>
    public int MaxOutput { get; init; }

    /// <summary>Temperature when the request has none.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>top_p when the request has none.</summary>
    public double TopP { get; init; } = 0.95;

    /// <summary>When it thinks.</summary>
    public ThinkingRule Thinking { get; init; }

    /// <summary>Whether it knows effort levels of reasoning.</summary>
    public bool Effort { get; init; }

    /// <summary>Whether the effort <c>low</c> is a level of its own; otherwise it counts as <c>high</c>.</summary>
    public bool LowEffort { get; init; }

    /// <summary>Whether it takes tools.</summary>
    public bool Tools { get; init; }

    /// <summary>Whether a stream can carry arguments of calls in pieces.</summary>
    public bool ToolStream { get; init; }

    /// <summary>Most stop texts.</summary>
    public int MaxStops { get; init; } = 4;

    /// <summary>Whether the persona in <c>meta</c> must be given.</summary>
    public bool PersonaRequired { get; init; }

    /// <summary>Most pictures of a request; 0 for none.</summary>
    public int MaxImages { get; init; }

    /// <summary>Most films of a request; 0 for none.</summary>
    public int MaxVideos { get; init; }

    /// <summary>Most documents of a request; 0 for none.</summary>
    public int MaxFiles { get; init; }

    /// <summary>Calls a minute of the user tiers, 0 for no limit; empty for those of its kind.</summary>
    public IReadOnlyList<int> PerMinute { get; init; } = [];

    /// <summary>Calls a day of the user tiers, 0 for no limit; empty for those of its kind.</summary>
    public IReadOnlyList<int> PerDay { get; init; } = [];

    /// <summary>Name of the family it starts from; empty for none.</summary>
    public string Family { get; init; } = "";

    /// <summary>Guaranteed requests in flight of the user tiers V0, V1, V2 …; empty when not published.</summary>
    public IReadOnlyList<int> Concurrency { get; init; } = [];

    /// <summary>The code that answers in its place: where a retired or renamed code goes. Null for none.</summary>
    public string? Successor { get; init; }

    /// <summary>Whether coding plans may call it.</summary>
    public bool Plan { get; init; }

    /// <summary>When it appeared, Unix seconds.</summary>
    public long Created { get; init; }

    /// <summary>Whether it answers <c>chat/completions</c> at all.</summary>
    public bool IsChat => Kind is ModelKind.Text or ModelKind.Reasoning or ModelKind.Vision or ModelKind.RolePlay
        or ModelKind.Code or ModelKind.Agent or ModelKind.Phone or ModelKind.SpeechChat;

    /// <summary>Whether a text model can stand in for it without pretending an ability it lacks.</summary>
    public bool IsTextChat => Kind is ModelKind.Text or ModelKind.Reasoning or ModelKind.RolePlay or ModelKind.Code;
}
