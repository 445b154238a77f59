using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Glimmer.Engine.Tests.Fakes;

/// <summary>Keeps what the engine complains of.</summary>
internal sealed class FaultLog : ILogger<InferenceEngine>
{
    public ConcurrentQueue<string> Faults { get; } = new();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Faults.Enqueue($"{formatter(state, exception)} {exception}");
}
