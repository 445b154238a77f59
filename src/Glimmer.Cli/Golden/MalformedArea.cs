using System.Text.Json;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Folders of damaged and hostile files with an <c>index.jsonl</c> that says of each what it is (<c>kind</c>), what is wrong and whether it
/// must be refused (<c>error</c>), accepted (<c>ok</c>) or either. Refusing means the parser's own exception, naming the file, in
/// bounded time and memory; anything else fails. A kind without a runner fails too, so that nothing passes untested.
/// </summary>
/// <param name="runners">What opens a file of each kind; null for those of this build.</param>
public sealed class MalformedArea(IReadOnlyDictionary<string, Action<string>>? runners = null) : IGoldenArea
{
    // What a parser may allocate: a base for its tables and a small multiple of the file.
    private const long BaseBytes = 24 << 20;
    private const long BytesPerByte = 64;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);
    private readonly IReadOnlyDictionary<string, Action<string>> _runners = runners ?? MalformedRunners.All;

    /// <inheritdoc/>
    public string Name => "malformed";

    /// <inheritdoc/>
    public bool Recognises(string folder)
    {
        string index = Path.Combine(folder, "index.jsonl");
        if (!File.Exists(index))
            return false;
        using StreamReader reader = new(index);
        return reader.ReadLine() is { } first && first.Contains("\"kind\"", StringComparison.Ordinal) && first.Contains("\"expect\"", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        foreach (JsonElement row in JsonLines.Read(Path.Combine(folder, "index.jsonl")))
        {
            cancel.ThrowIfCancellationRequested();
            string file = row.GetProperty("file").GetString()!, kind = row.GetProperty("kind").GetString()!;
            string expect = row.GetProperty("expect").GetString()!, reason = row.GetProperty("reason").GetString()!;
            string? problem = _runners.TryGetValue(kind, out Action<string>? runner)
                ? Problem(Path.Combine(folder, file), expect, runner)
                : $"no runner for files of kind '{kind}'";
            yield return new GoldenCheck($"{kind}/{file}", problem is null ? 0 : 1, 0, problem is null ? null : $"{reason}: {problem}");
        }
    }

    private static string? Problem(string path, string expect, Action<string> runner)
    {
        long size = new FileInfo(path).Length, allocated = 0;
        Exception? fault = null;

        // A thread of its own: its allocations can be counted, and one that never ends can be left behind.
        Thread thread = new(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                runner(path);
            }
            catch (Exception thrown)
            {
                fault = thrown;
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        })
        { IsBackground = true };
        thread.Start();
        if (!thread.Join(_patience))
            return $"not done after {_patience.TotalSeconds:0} s";
        if (allocated > BaseBytes + BytesPerByte * size)
            return $"allocated {allocated} bytes for a file of {size}";
        if (fault is null)
            return expect is "error" ? "accepted, but it must be refused" : null;
        if (!MalformedRunners.IsRefusal(fault))
            return $"ended in {fault.GetType().Name}: {fault.Message}";
        if (expect is "ok")
            return $"refused, but it is valid: {fault.Message}";
        return fault.Message.Contains(Path.GetFileName(path), StringComparison.Ordinal) ? null : $"the message does not name the file: {fault.Message}";
    }
}
