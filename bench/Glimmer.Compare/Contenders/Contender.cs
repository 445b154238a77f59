using System.Text.Json;

namespace Glimmer.Compare.Contenders;

/// <summary>A program with its arguments and what it wants in its environment.</summary>
internal sealed record ProgramCall(string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string>? Environment = null);

/// <summary>What a server is started with.</summary>
/// <param name="ModelFile">Path of the model.</param>
/// <param name="Threads">Threads of the engine.</param>
/// <param name="Port">Port on the loopback address.</param>
/// <param name="Streams">Conversations at once.</param>
/// <param name="Context">Tokens of each conversation.</param>
/// <param name="DataFolder">A folder of its own.</param>
/// <param name="QuickStart">Leaves out what speeds up computing but delays the start.</param>
internal sealed record ServerCall(string ModelFile, int Threads, int Port, int Streams, int Context, string DataFolder, bool QuickStart = false);

/// <summary>One of the engines that are compared.</summary>
internal abstract class Contender(string name)
{
    /// <summary>Name in the tables.</summary>
    public string Name { get; } = name;

    /// <summary>Version or commit, once known.</summary>
    public string Version { get; protected set; } = "unknown";

    /// <summary>The call that measures prefill and decode; null when it cannot measure this.</summary>
    public abstract ProgramCall? Bench(string modelFile, PlanStep step);

    /// <summary>Tokens per second from what the bench program printed.</summary>
    /// <exception cref="FormatException">It is not what such a program prints.</exception>
    public abstract IReadOnlyList<(string Metric, double Rate)> ReadBench(string output);

    /// <summary>The call that prints the version; null when the bench's output has it.</summary>
    public virtual ProgramCall? AskVersion => null;

    /// <summary>Takes what <see cref="AskVersion"/> printed.</summary>
    public void ReadVersion(string output) => Version = output.Trim();

    /// <summary>The call that starts the server.</summary>
    public abstract ProgramCall Serve(ServerCall call);

    /// <summary>Path that answers 200 once the server is ready.</summary>
    public abstract string HealthPath { get; }

    /// <summary>Path of the surface that answers prompts.</summary>
    public abstract string ChatPath { get; }

    /// <summary>Body of a streamed greedy request that asks for exactly <paramref name="tokens"/> tokens.</summary>
    public abstract byte[] ChatBody(string prompt, int tokens);

    /// <summary>A key that the server printed in this line of its output; null when there is none.</summary>
    public virtual string? KeyIn(string line) => null;

    /// <summary>Whether the server needs a key.</summary>
    public virtual bool NeedsKey => false;

    /// <summary>Name of a metric of the bench.</summary>
    internal static string MetricOf(string kind, int tokens, int streams, int depth) =>
        $"{kind} {tokens}{(streams > 1 ? $" × {streams} streams" : "")}{(depth > 0 ? $" after {depth}" : "")}";

    /// <summary>Parses JSON that stands somewhere in an output: from the first line that begins with <paramref name="open"/>.</summary>
    internal static JsonDocument JsonIn(string output, char open)
    {
        int start = output.StartsWith(open) ? 0 : output.IndexOf("\n" + open, StringComparison.Ordinal);
        int end = output.LastIndexOf(open == '[' ? ']' : '}');
        if (start < 0 || end < start)
            throw new FormatException($"there is no JSON in the output: {(output.Length > 200 ? output[..200] : output)}");
        try
        {
            return JsonDocument.Parse(output.AsMemory(start, end + 1 - start));
        }
        catch (JsonException fault)
        {
            throw new FormatException($"the JSON of the output cannot be read: {fault.Message}", fault);
        }
    }
}
