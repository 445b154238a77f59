using Glimmer.Inference.Routing;

namespace Glimmer.Server.Routing;

/// <summary>Log lines of what happens to backends.</summary>
public static partial class BackendLog
{
    /// <summary>Writes what happens to a pool's backends, and what is better said otherwise in their file.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="logs">Where lines go.</param>
    public static void Attach(BackendPool pool, ILoggerFactory logs)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ILogger log = logs.CreateLogger(typeof(BackendPool).FullName!);
        pool.Observer = item => Write(log, pool, item);
    }

    /// <summary>Writes the warnings of the file in force.</summary>
    public static void Warn(BackendFileSource source, ILoggerFactory logs)
    {
        ArgumentNullException.ThrowIfNull(source);
        ILogger log = logs.CreateLogger(typeof(BackendPool).FullName!);
        foreach (string warning in source.Warnings)
            Warned(log, warning);
    }

    private static void Write(ILogger log, BackendPool pool, BackendEvent item)
    {
        switch (item.What)
        {
            case "ejected" or "down":
                Lost(log, item.Backend, item.What, item.Why);
                break;
            case "reload_failed":
                NotReloaded(log, item.Why);
                break;
            case "reloaded":
                Reloaded(log, item.Why);
                foreach (string warning in pool.Source?.Warnings ?? [])
                    Warned(log, warning);
                break;
            default:
                Told(log, item.Backend, item.What, item.Why);
                break;
        }
    }

    [LoggerMessage(2010, LogLevel.Information, "Backend {Backend}: {What}: {Why}")]
    private static partial void Told(ILogger log, string backend, string what, string why);

    [LoggerMessage(2011, LogLevel.Warning, "Backend {Backend}: {What}: {Why}")]
    private static partial void Lost(ILogger log, string backend, string what, string why);

    [LoggerMessage(2012, LogLevel.Information, "Backends reloaded: {Why}")]
    private static partial void Reloaded(ILogger log, string why);

    [LoggerMessage(2013, LogLevel.Error, "The file of backends cannot be used, the backends stay as they were: {Why}")]
    private static partial void NotReloaded(ILogger log, string why);

    [LoggerMessage(2014, LogLevel.Warning, "{Warning}")]
    private static partial void Warned(ILogger log, string warning);
}
