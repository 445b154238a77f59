using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Glimmer.Server.Telemetry;

/// <summary>
/// Keeps the measurements of a meter and writes them in the Prometheus text format 0.0.4. Every instrument has a bounded
/// number of label sets; what comes beyond is counted under <c>overflow="true"</c>.
/// </summary>
internal sealed class PrometheusRegistry : IDisposable
{
    /// <summary>Most label sets of an instrument.</summary>
    public const int MaxSeries = 500;

    /// <summary>What the runtime itself measures of memory; an OTLP collector gets all of its meter.</summary>
    private static readonly HashSet<string> _runtime = new(StringComparer.Ordinal)
    {
        "dotnet.gc.collections", "dotnet.gc.heap.total_allocated", "dotnet.gc.last_collection.heap.size", "dotnet.gc.last_collection.memory.committed_size",
    };

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, PrometheusInstrument> _instruments = new();

    /// <summary>Listens to one meter, and to the runtime's.</summary>
    public PrometheusRegistry(Meter meter)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (!ReferenceEquals(instrument.Meter, meter) && !(instrument.Meter.Name == "System.Runtime" && _runtime.Contains(instrument.Name)))
                return;
            PrometheusInstrument kept = _instruments.GetOrAdd(instrument, static item => new PrometheusInstrument(item));
            listener.EnableMeasurementEvents(instrument, kept);
        };
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => ((PrometheusInstrument)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((PrometheusInstrument)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((PrometheusInstrument)state!).Record(value, tags));
        _listener.Start();
    }

    /// <summary>The text of all instruments, by name.</summary>
    public string Write()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (PrometheusInstrument instrument in _instruments.Values.OrderBy(item => item.Name, StringComparer.Ordinal))
            instrument.Write(text);
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();
}

/// <summary>The series of one instrument.</summary>
internal sealed class PrometheusInstrument
{
    private static readonly double[] DefaultBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
    private readonly ConcurrentDictionary<string, Series> _series = new(StringComparer.Ordinal);

    /// <summary>The same series by the hash of their tags, so that a request need not write its labels to find them; of two with one hash only the first.</summary>
    private readonly ConcurrentDictionary<int, (KeyValuePair<string, object?>[] Tags, Series Series)> _byTags = new();
    private readonly string _type;
    private readonly string _help;
    private readonly bool _absolute;
    private readonly double[]? _bounds;

    public PrometheusInstrument(Instrument instrument)
    {
        _type = instrument switch
        {
            Histogram<double> or Histogram<long> => "histogram",
            Counter<long> or Counter<double> or ObservableCounter<double> or ObservableCounter<long> => "counter",
            _ => "gauge",
        };
        _absolute = instrument.IsObservable;
        _bounds = instrument switch
        {
            Histogram<double> histogram => [.. histogram.Advice?.HistogramBucketBoundaries ?? DefaultBounds],
            Histogram<long> histogram => histogram.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound).ToArray() ?? DefaultBounds,
            _ => null,
        };
        _help = (instrument.Description ?? "").Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        string unit = instrument.Unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        Name = Sanitise(instrument.Name) + unit + (_type == "counter" ? "_total" : "");
    }

    /// <summary>Name of the metric family.</summary>
    public string Name { get; }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        int hash = Hash(tags);
        bool known = _byTags.TryGetValue(hash, out (KeyValuePair<string, object?>[] Tags, Series Series) entry);
        if (known && AreSame(tags, entry.Tags))
        {
            entry.Series.Record(value, _absolute);
            return;
        }

        string labels = Labels(tags);
        if (!_series.TryGetValue(labels, out Series? series))
        {
            if (_series.Count >= PrometheusRegistry.MaxSeries)
                labels = "overflow=\"true\"";
            series = _series.GetOrAdd(labels, static (_, bounds) => new Series(bounds), _bounds);
        }

        if (!known && _byTags.Count < PrometheusRegistry.MaxSeries)
            _byTags.TryAdd(hash, (tags.ToArray(), series));
        series.Record(value, _absolute);
    }

    public void Write(StringBuilder text)
    {
        text.Append("# HELP ").Append(Name).Append(' ').Append(_help).Append('\n');
        text.Append("# TYPE ").Append(Name).Append(' ').Append(_type).Append('\n');
        foreach ((string labels, Series series) in _series.OrderBy(item => item.Key, StringComparer.Ordinal))
            series.Write(text, Name, labels);
    }

    private static int Hash(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        HashCode hash = default;
        foreach ((string key, object? value) in tags)
        {
            hash.Add(key, StringComparer.Ordinal);
            hash.Add(value);
        }

        return hash.ToHashCode();
    }

    private static bool AreSame(ReadOnlySpan<KeyValuePair<string, object?>> tags, KeyValuePair<string, object?>[] others)
    {
        if (tags.Length != others.Length)
            return false;
        for (int i = 0; i < others.Length; i++)
        {
            if (!string.Equals(tags[i].Key, others[i].Key, StringComparison.Ordinal) || !Equals(tags[i].Value, others[i].Value))
                return false;
        }

        return true;
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty)
            return "";
        var text = new StringBuilder();
        foreach ((string key, object? value) in tags)
        {
            if (text.Length > 0)
                text.Append(',');
            text.Append(Sanitise(key)).Append("=\"");
            foreach (char c in Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")
            {
                text = c switch
                {
                    '\\' => text.Append("\\\\"),
                    '"' => text.Append("\\\""),
                    '\n' => text.Append("\\n"),
                    _ => text.Append(c),
                };
            }

            text.Append('"');
        }

        return text.ToString();
    }

    private static string Sanitise(string name) =>
        string.Create(name.Length, name, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
                span[i] = char.IsAsciiLetterOrDigit(source[i]) ? source[i] : '_';
        });

    private sealed class Series(double[]? bounds)
    {
        private readonly Lock _lock = new();
        private readonly long[]? _counts = bounds is null ? null : new long[bounds.Length + 1];
        private double _sum;

        public void Record(double value, bool absolute)
        {
            lock (_lock)
            {
                _sum = absolute ? value : _sum + value;
                if (_counts is null)
                    return;
                int bucket = Array.BinarySearch(bounds!, value);
                _counts[bucket >= 0 ? bucket : ~bucket]++;
            }
        }

        public void Write(StringBuilder text, string name, string labels)
        {
            lock (_lock)
            {
                if (_counts is null)
                {
                    Line(text, name, "", labels, "", _sum);
                    return;
                }

                long cumulative = 0;
                for (int i = 0; i < _counts.Length; i++)
                {
                    cumulative += _counts[i];
                    string bound = i < bounds!.Length ? bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf";
                    Line(text, name, "_bucket", labels, $"le=\"{bound}\"", cumulative);
                }

                Line(text, name, "_sum", labels, "", _sum);
                Line(text, name, "_count", labels, "", cumulative);
            }
        }

        private static void Line(StringBuilder text, string name, string suffix, string labels, string extra, double value)
        {
            text.Append(name).Append(suffix);
            if (labels.Length + extra.Length > 0)
                text.Append('{').Append(labels).Append(labels.Length > 0 && extra.Length > 0 ? "," : "").Append(extra).Append('}');
            text.Append(' ').Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');
        }
    }
}
