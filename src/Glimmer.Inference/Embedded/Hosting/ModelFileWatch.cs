using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>
/// Watches the files of one model that answers for as long as the process lives. A file that is replaced, written to or gone is told in the log: the model
/// goes on from what is mapped. One that is cut short in place ends the model before it touches what is missing, as far as that can be seen in time:
/// an answer that gets there between two looks ends the process (the system's SIGBUS).
/// </summary>
public sealed partial class ModelFileWatch : IAsyncDisposable
{
    private static readonly TimeSpan _usual = TimeSpan.FromMilliseconds(250);
    private readonly WeightFiles _files;
    private readonly string _path;
    private readonly Func<Task> _stop;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _over = new();
    private readonly Task _loop;

    private ModelFileWatch(WeightFiles files, string path, Func<Task> stop, TimeSpan interval, ILogger logger)
    {
        (_files, _path, _stop, _logger) = (files, path, stop, logger);
        _loop = Task.Run(() => LookAsync(interval));
    }

    /// <summary>Begins to watch; the files are taken to be now as they were mapped.</summary>
    /// <param name="path">GGUF file or checkpoint folder.</param>
    /// <param name="stop">Stops the model: takes no more requests and ends the answers in flight. Called at most once.</param>
    /// <param name="logs">Hears what happened.</param>
    /// <param name="interval">How often to look; null for four times a second.</param>
    /// <exception cref="IOException">A file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    public static ModelFileWatch Start(string path, Func<Task> stop, ILoggerFactory logs, TimeSpan? interval = null) =>
        new(WeightFiles.Open(path), path, stop, interval ?? _usual, logs.CreateLogger(typeof(ModelFileWatch).FullName!));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _loop;
        _files.Dispose();
        _over.Dispose();
    }

    [SuppressMessage("Design", "CA1031", Justification = "A watcher that fails must not end the model; what failed is logged.")]
    private async Task LookAsync(TimeSpan interval)
    {
        using PeriodicTimer timer = new(interval);
        WeightFileState told = WeightFileState.Unchanged;
        try
        {
            while (await timer.WaitForNextTickAsync(_over.Token))
            {
                WeightFileState state = _files.Check();
                if (state == WeightFileState.Truncated)
                {
                    await _stop();
                    LogTruncated(_path);
                    return;
                }

                if (state != told && state == WeightFileState.Changed)
                    LogChanged(_path);
                if (state != told && state == WeightFileState.Gone)
                    LogGone(_path);
                told = state;
            }
        }
        catch (OperationCanceledException)
        {
            // The model is closed.
        }
        catch (Exception fault)
        {
            LogFault(fault, _path);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A file of the model ({Path}) was cut short while it is mapped. The model takes no more requests; put the file back and start again.")]
    private partial void LogTruncated(string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A file of the model ({Path}) was replaced or written to. Where it was replaced the model goes on with the old one; where it was written to in place answers may be wrong. Start again to load the new one.")]
    private partial void LogChanged(string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A file of the model ({Path}) is gone. The model goes on answering from what is mapped; it cannot be loaded again.")]
    private partial void LogGone(string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "The files of the model ({Path}) are no longer watched.")]
    private partial void LogFault(Exception fault, string path);
}
