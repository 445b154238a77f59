using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Remote;

/// <summary>What remote engines are logged for.</summary>
internal static partial class RemoteLog
{
    [LoggerMessage(1, LogLevel.Warning, "The engine of {Model} failed in the middle of an answer: {Problem}")]
    public static partial void Failed(ILogger log, string model, string problem);

    [LoggerMessage(2, LogLevel.Error, "An answer of the engine of {Model} could not be read.")]
    public static partial void Unexpected(ILogger log, Exception fault, string model);

    [LoggerMessage(3, LogLevel.Debug, "The engine of {Model} did not end its stream after the answer: {Problem}")]
    public static partial void NoCounts(ILogger log, string model, string problem);

    [LoggerMessage(4, LogLevel.Warning, "The engine of {Model} counted {Counted} tokens of the {What}; {Ours} is what was sent or received and what is charged.")]
    public static partial void CountsDiffer(ILogger log, string model, string what, int counted, int ours);

    [LoggerMessage(5, LogLevel.Warning, "The backend {Backend} cannot be used: {Detail}")]
    public static partial void NotReady(ILogger log, string backend, string detail);

    [LoggerMessage(6, LogLevel.Information, "The backend {Backend} is ready: {Detail}")]
    public static partial void Ready(ILogger log, string backend, string detail);
}
