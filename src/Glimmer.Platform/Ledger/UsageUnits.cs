namespace Glimmer.Platform.Ledger;

/// <summary>What a price can be for. The numbers are stored.</summary>
public enum UnitKind
{
    /// <summary>Input tokens that were computed; also those read from the cache where a price has no line for these.</summary>
    Input = 0,

    /// <summary>Input tokens that were read from the prefix cache.</summary>
    CachedInput = 1,

    /// <summary>Output tokens; with the reasoning ones where a price has no line for these.</summary>
    Output = 2,

    /// <summary>Output tokens that are reasoning.</summary>
    Reasoning = 3,

    /// <summary>Images made.</summary>
    Image = 4,

    /// <summary>Videos made.</summary>
    Video = 5,

    /// <summary>Audio by time, in milliseconds.</summary>
    AudioMilliseconds = 6,

    /// <summary>Audio tokens.</summary>
    AudioTokens = 7,

    /// <summary>Characters spoken.</summary>
    Characters = 8,

    /// <summary>Pages read.</summary>
    Page = 9,

    /// <summary>Web searches.</summary>
    Search = 10,

    /// <summary>Calls of other metered tools.</summary>
    Tool = 11,
}

/// <summary>
/// What one request used, as the wire reports it: <see cref="Input"/> includes <see cref="CachedInput"/>, and
/// <see cref="Output"/> includes <see cref="Reasoning"/>. No field may be negative.
/// </summary>
public readonly record struct UsageUnits
{
    /// <summary>How many kinds there are.</summary>
    public const int Kinds = 12;

    /// <summary>Input tokens, cached ones included.</summary>
    public int Input { get; init; }

    /// <summary>Input tokens read from the cache; at most <see cref="Input"/>.</summary>
    public int CachedInput { get; init; }

    /// <summary>Output tokens, reasoning ones included.</summary>
    public int Output { get; init; }

    /// <summary>Output tokens that are reasoning; at most <see cref="Output"/>.</summary>
    public int Reasoning { get; init; }

    /// <summary>Images made.</summary>
    public int Images { get; init; }

    /// <summary>Videos made.</summary>
    public int Videos { get; init; }

    /// <summary>Milliseconds of audio.</summary>
    public int AudioMilliseconds { get; init; }

    /// <summary>Audio tokens.</summary>
    public int AudioTokens { get; init; }

    /// <summary>Characters spoken.</summary>
    public int Characters { get; init; }

    /// <summary>Pages read.</summary>
    public int Pages { get; init; }

    /// <summary>Web searches.</summary>
    public int Searches { get; init; }

    /// <summary>Calls of other metered tools.</summary>
    public int Tools { get; init; }

    /// <summary>The count of one kind as the wire reports it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such kind.</exception>
    public int this[UnitKind kind] => kind switch
    {
        UnitKind.Input => Input,
        UnitKind.CachedInput => CachedInput,
        UnitKind.Output => Output,
        UnitKind.Reasoning => Reasoning,
        UnitKind.Image => Images,
        UnitKind.Video => Videos,
        UnitKind.AudioMilliseconds => AudioMilliseconds,
        UnitKind.AudioTokens => AudioTokens,
        UnitKind.Characters => Characters,
        UnitKind.Page => Pages,
        UnitKind.Search => Searches,
        UnitKind.Tool => Tools,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Not a kind of unit."),
    };

    /// <summary>The most images, videos, pages, searches or tool calls one request can be charged for.</summary>
    public const int MostPieces = 1_000_000;

    /// <summary>Whether every count is possible: none negative, no part larger than its whole, pieces within their bound.</summary>
    public bool IsValid =>
        (Input | CachedInput | Output | Reasoning | Images | Videos | AudioMilliseconds | AudioTokens | Characters | Pages | Searches | Tools) >= 0
        && CachedInput <= Input && Reasoning <= Output
        && Images <= MostPieces && Videos <= MostPieces && Pages <= MostPieces && Searches <= MostPieces && Tools <= MostPieces;

    /// <summary>The nearest possible counts: for usage that a foreign engine reports.</summary>
    public UsageUnits Clamped()
    {
        int input = Math.Max(Input, 0);
        int output = Math.Max(Output, 0);
        return new UsageUnits
        {
            Input = input,
            CachedInput = Math.Clamp(CachedInput, 0, input),
            Output = output,
            Reasoning = Math.Clamp(Reasoning, 0, output),
            Images = Math.Clamp(Images, 0, MostPieces),
            Videos = Math.Clamp(Videos, 0, MostPieces),
            AudioMilliseconds = Math.Max(AudioMilliseconds, 0),
            AudioTokens = Math.Max(AudioTokens, 0),
            Characters = Math.Max(Characters, 0),
            Pages = Math.Clamp(Pages, 0, MostPieces),
            Searches = Math.Clamp(Searches, 0, MostPieces),
            Tools = Math.Clamp(Tools, 0, MostPieces),
        };
    }

    /// <summary>The most that a valid count of a kind can be.</summary>
    internal static int Most(UnitKind kind) =>
        kind is UnitKind.Image or UnitKind.Video or UnitKind.Page or UnitKind.Search or UnitKind.Tool ? MostPieces : int.MaxValue;
}
