using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>What the host says.</summary>
public sealed partial class ModelHost
{
    [LoggerMessage(Level = LogLevel.Information, Message = "The model {Code} is loaded: {Bytes} ({Parts}), {Seconds:0.00} s.")]
    private partial void LogLoaded(string code, string bytes, string parts, double seconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "The model {Code} could not be loaded: {Reason}")]
    private partial void LogLoadFault(Exception? fault, string code, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Refusal}")]
    private partial void LogRefused(string refusal);

    [LoggerMessage(Level = LogLevel.Information, Message = "The model {Code} makes room for another: {Bytes}.")]
    private partial void LogEvicted(string code, string bytes);

    [LoggerMessage(Level = LogLevel.Information, Message = "The model {Code} is unloaded: {Bytes} are free again.")]
    private partial void LogUnloaded(string code, string bytes);

    [LoggerMessage(Level = LogLevel.Error, Message = "The model {Code} could not be closed.")]
    private partial void LogUnloadFault(Exception fault, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A file of the model {Code} is gone ({Path}). The model goes on answering from memory; it cannot be loaded again.")]
    private partial void LogGone(string code, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A file of the model {Code} was {What} ({Path}): the model is loaded anew.")]
    private partial void LogChanged(string code, string path, string what);
}
