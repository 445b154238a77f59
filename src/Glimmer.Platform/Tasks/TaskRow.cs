namespace Glimmer.Platform.Tasks;

/// <summary>A row of <c>tasks</c>, by the names of its columns.</summary>
internal sealed class TaskRow
{
    public const string Columns = "id, account, access_key AS accessKey, kind, model, request, item, position, state, result, status, code, created, ended";

    public string Id { get; set; } = "";

    public long Account { get; set; }

    public string AccessKey { get; set; } = "";

    public string Kind { get; set; } = "";

    public string Model { get; set; } = "";

    public string? Request { get; set; }

    public string? Batch { get; set; }

    public string? Item { get; set; }

    public long Position { get; set; }

    public long State { get; set; }

    public byte[]? Body { get; set; }

    public byte[]? Result { get; set; }

    public long Status { get; set; }

    public long Code { get; set; }

    public long Attempt { get; set; }

    public long Faults { get; set; }

    public long Cancel { get; set; }

    public long Created { get; set; }

    public long? Ended { get; set; }

    public TaskEntry Entry() => new(Id, Account, AccessKey, Kind, Model, Request, (TaskState)State, (int)Status, (int)Code, Instant(Created), Instant(Ended))
    {
        Item = Item,
        Position = Position,
        Result = Result,
    };

    public TaskRun Run() => new(Id, Attempt, Account, AccessKey, Kind, Body ?? [], (int)Faults, Instant(Created));

    public static DateTimeOffset Instant(long at) => DateTimeOffset.FromUnixTimeMilliseconds(at);

    public static DateTimeOffset? Instant(long? at) => at is { } known ? Instant(known) : null;
}
