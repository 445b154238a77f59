namespace Glimmer.Engine;

/// <summary>What became of a request handed to the engine.</summary>
public enum SubmissionOutcome
{
    /// <summary>It waits or runs; its sink will hear of it.</summary>
    Accepted,

    /// <summary>The waiting queue is full (<see cref="EngineOptions.QueueLimit"/>).</summary>
    QueueFull,

    /// <summary>The prompt and one token do not fit the engine's context (<see cref="InferenceEngine.ContextLength"/>).</summary>
    PromptTooLong,

    /// <summary>The engine is stopping or stopped.</summary>
    Stopping,
}

/// <summary>A request that the engine accepted.</summary>
public sealed class RunningGeneration
{
    private readonly Scheduling.Sequence _sequence;

    internal RunningGeneration(Scheduling.Sequence sequence) => _sequence = sequence;

    /// <summary>
    /// Ends it within one token; the sink hears <see cref="GenerationEnd.Cancelled"/> unless it ended before. Never
    /// blocks, may be called from any thread and more than once.
    /// </summary>
    public void Cancel() => _sequence.Cancel();
}
