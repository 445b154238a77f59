namespace Glimmer.Platform.Tasks;

/// <summary>How a task stands. Stored as its number.</summary>
public enum TaskState
{
    /// <summary>Waits for a node.</summary>
    Queued = 0,

    /// <summary>A node runs it.</summary>
    Running = 1,

    /// <summary>It has its result.</summary>
    Succeeded = 2,

    /// <summary>It ended with an error.</summary>
    Failed = 3,

    /// <summary>Its owner gave it up.</summary>
    Cancelled = 4,

    /// <summary>It did not come to its end in time.</summary>
    Expired = 5,
}

/// <summary>A task as the store has it.</summary>
/// <param name="Id">Public id.</param>
/// <param name="Account">Number of the account that owns it.</param>
/// <param name="Key">Public id of the key that gave it.</param>
/// <param name="Kind">What runs it.</param>
/// <param name="Model">Code of its model; empty when it was not known when it was given.</param>
/// <param name="Request">The client's own id of the request; null when it gave none.</param>
/// <param name="State">How it stands.</param>
/// <param name="Status">HTTP status of its result; 0 without one.</param>
/// <param name="Code">Business code of its error; 0 without one.</param>
/// <param name="Created">When it was given.</param>
/// <param name="Ended">When it ended; null while it is open.</param>
public sealed record TaskEntry(
    string Id, long Account, string Key, string Kind, string Model, string? Request, TaskState State, int Status, int Code, DateTimeOffset Created, DateTimeOffset? Ended)
{
    /// <summary>The client's name of it in its batch; null outside one.</summary>
    public string? Item { get; init; }

    /// <summary>Its place in its batch, or among the tasks of its account when it was given.</summary>
    public long Position { get; init; }

    /// <summary>UTF-8 of the answer or the error; null while it is open and when it was cancelled or expired.</summary>
    public byte[]? Result { get; init; }

    /// <summary>Whether it has ended.</summary>
    public bool IsEnded => State >= TaskState.Succeeded;
}

/// <summary>A task to be given.</summary>
/// <param name="Id">Public id, new.</param>
/// <param name="Account">Number of the account that owns it.</param>
/// <param name="Key">Public id of the key that gives it.</param>
/// <param name="Kind">What runs it.</param>
/// <param name="Body">What it needs to run; forgotten when it has ended.</param>
public sealed record NewTask(string Id, long Account, string Key, string Kind, byte[] Body)
{
    /// <summary>Code of its model.</summary>
    public string Model { get; init; } = "";

    /// <summary>The client's own id of the request; null when it gave none.</summary>
    public string? Request { get; init; }

    /// <summary>The client's name of it in its batch.</summary>
    public string? Item { get; init; }
}

/// <summary>A run of a task: the node that holds it may end it while its lease lasts.</summary>
/// <param name="Id">Public id of the task.</param>
/// <param name="Attempt">Number of the run, from 1; fences its end.</param>
/// <param name="Account">Number of the owner.</param>
/// <param name="Key">Public id of the key that gave it.</param>
/// <param name="Kind">What runs it.</param>
/// <param name="Body">What it needs to run.</param>
/// <param name="Faults">Runs of it that ended in a fault of the backend.</param>
/// <param name="Created">When it was given.</param>
public sealed record TaskRun(string Id, long Attempt, long Account, string Key, string Kind, byte[] Body, int Faults, DateTimeOffset Created)
{
    /// <summary>Whether a former run may have got as far as its charge.</summary>
    public bool IsRepeat => Attempt > 1;
}

/// <summary>What became of a run.</summary>
/// <param name="State">The task's end; <see cref="TaskState.Queued"/> to run it again.</param>
/// <param name="Status">HTTP status of the result.</param>
/// <param name="Code">Business code of the error; 0 without one.</param>
/// <param name="Result">UTF-8 of the answer or the error.</param>
public sealed record TaskOutcome(TaskState State, int Status = 0, int Code = 0, byte[]? Result = null)
{
    /// <summary>Whether the run that is to be repeated failed by a fault of the backend, which is only borne a few times.</summary>
    public bool IsFault { get; init; }
}

/// <summary>A batch as the store has it.</summary>
/// <param name="Id">Public id.</param>
/// <param name="Kind">What runs its tasks.</param>
/// <param name="Created">When it was given.</param>
/// <param name="Expires">When what is still open expires.</param>
/// <param name="CancelAt">When its owner gave it up; null when he did not.</param>
/// <param name="Ended">When its last task ended; null while one is open.</param>
/// <param name="Counts">How its tasks stand.</param>
public sealed record TaskBatch(string Id, string Kind, DateTimeOffset Created, DateTimeOffset Expires, DateTimeOffset? CancelAt, DateTimeOffset? Ended, TaskCounts Counts);

/// <summary>How many tasks of a batch stand how.</summary>
/// <param name="Open">Queued or running.</param>
/// <param name="Succeeded">Those with an answer.</param>
/// <param name="Failed">Those with an error.</param>
/// <param name="Cancelled">Those given up.</param>
/// <param name="Expired">Those too late.</param>
public readonly record struct TaskCounts(long Open, long Succeeded, long Failed, long Cancelled, long Expired);

/// <summary>Bounds of tasks.</summary>
public sealed record TaskSettings
{
    /// <summary>Tasks that this node runs at a time.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>How long a node may be silent before another takes its tasks.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How often the node looks for tasks that others left.</summary>
    public TimeSpan Poll { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a task may wait and run.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long the result of a single task is kept after its end.</summary>
    public TimeSpan KeepResult { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a batch and its results are kept after it was given.</summary>
    public TimeSpan KeepBatch { get; init; } = TimeSpan.FromDays(29);

    /// <summary>Runs that may end in a fault of the backend, or with the loss of their node, before the task fails.</summary>
    public int MaxFaults { get; init; } = 3;

    /// <summary>Open tasks that one account may have.</summary>
    public int MaxOpen { get; init; } = 100_000;

    /// <summary>How long runs may go on when the node stops; then they are given back.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(20);
}
