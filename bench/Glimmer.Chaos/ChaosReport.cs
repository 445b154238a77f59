using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Glimmer.Chaos;

/// <summary>How a run is made.</summary>
public sealed record ChaosSettings
{
    /// <summary>How long load and disturbance last.</summary>
    public int Seconds { get; init; } = 20;

    /// <summary>Disturbances that a run has at the least, however long each takes.</summary>
    public int Fewest { get; init; } = 2;

    /// <summary>Seeds what is disturbed and what is asked.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Nodes.</summary>
    public int Nodes { get; init; } = 3;

    /// <summary>Clients, each with one request at a time.</summary>
    public int Clients { get; init; } = 24;

    /// <summary>The same program of a former version, which the first node runs, as in a rolling upgrade; null for none.</summary>
    public string? Former { get; init; }

    /// <summary>Where each disturbance is told; null for nowhere.</summary>
    public TextWriter? Log { get; init; }
}

/// <summary>What became of a request as its client saw it.</summary>
public enum ChaosOutcome
{
    /// <summary>The whole answer.</summary>
    Answered,

    /// <summary>An error of the platform, in the form of the dialect.</summary>
    Refused,

    /// <summary>A connection that was cut, before or within the answer.</summary>
    Cut,

    /// <summary>Nobody listened.</summary>
    Unreachable,

    /// <summary>None of these: there should be none.</summary>
    Unclear,
}

/// <summary>One request.</summary>
/// <param name="Number">Unique; the prompt tokens of its usage row.</param>
/// <param name="Kind">How it was asked.</param>
public sealed record ChaosRequest(int Number, string Kind)
{
    /// <summary>What its answer has to say, and no other answer may.</summary>
    public string Nonce => string.Create(CultureInfo.InvariantCulture, $"nonce-{Number}");

    /// <summary>What became of it.</summary>
    public ChaosOutcome Outcome { get; set; } = ChaosOutcome.Unclear;

    /// <summary>What was said, where that is not what was asked for.</summary>
    public string Detail { get; set; } = "";
}

/// <summary>What a run found.</summary>
public sealed class ChaosReport
{
    /// <summary>All requests.</summary>
    public ConcurrentQueue<ChaosRequest> Requests { get; } = new();

    /// <summary>The kinds of requests that were answered, or taken to be answered later.</summary>
    public ConcurrentDictionary<string, bool> Taken { get; } = new(StringComparer.Ordinal);

    /// <summary>What must not be. Empty after a good run.</summary>
    public ConcurrentQueue<string> Faults { get; } = new();

    /// <summary>How often what was disturbed.</summary>
    public SortedDictionary<string, int> Disturbances { get; } = new(StringComparer.Ordinal);

    /// <summary>Usage rows in the books.</summary>
    public int Rows { get; set; }

    /// <summary>Rows of requests that were not answered: the client left or lost its connection after something was made.</summary>
    public int RowsUnanswered { get; set; }

    /// <summary>Settled requests that stood in journals of killed nodes and were settled by their next run.</summary>
    public int Replayed { get; set; }

    private static string Reason(string detail)
    {
        int at = detail.IndexOf("\"message\":\"", StringComparison.Ordinal);
        string text = at < 0 ? detail : detail[(at + 11)..];
        return text[..Math.Min(text.Length, Math.Min(60, text.IndexOf("error id", StringComparison.Ordinal) is > 0 and int end ? end : 60))];
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"disturbances: {string.Join(", ", Disturbances.Select(pair => $"{pair.Key} {pair.Value}"))}");
        foreach (IGrouping<string, ChaosRequest> kind in Requests.GroupBy(request => request.Kind, StringComparer.Ordinal).OrderBy(kind => kind.Key, StringComparer.Ordinal))
            text.AppendLine(CultureInfo.InvariantCulture, $"  {kind.Key,-20} {kind.Count(),6}: {string.Join(", ", kind.GroupBy(request => request.Outcome).OrderBy(group => group.Key).Select(group => $"{group.Key} {group.Count()}"))}");
        text.AppendLine(CultureInfo.InvariantCulture, $"requests {Requests.Count}, answered {Requests.Count(request => request.Outcome == ChaosOutcome.Answered)}, usage rows {Rows} (of unanswered {RowsUnanswered}), journals replayed {Replayed}");
        foreach (IGrouping<string, ChaosRequest> said in Requests.Where(request => request.Detail.Length > 0).GroupBy(request => Reason(request.Detail), StringComparer.Ordinal).OrderByDescending(group => group.Count()).Take(12))
            text.AppendLine(CultureInfo.InvariantCulture, $"  refused {said.Count(),6}: {said.Key}");
        foreach (string fault in Faults.Take(40))
            text.AppendLine("FAULT: " + fault);
        text.AppendLine(Faults.IsEmpty ? "no fault" : string.Create(CultureInfo.InvariantCulture, $"{Faults.Count} faults"));
        return text.ToString();
    }
}
