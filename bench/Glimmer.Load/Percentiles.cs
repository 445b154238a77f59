namespace Glimmer.Load;

/// <summary>Readings of one kind, in milliseconds.</summary>
internal sealed class Percentiles
{
    private readonly List<double> _values = [];
    private bool _sorted;

    public int Count => _values.Count;

    public void Add(double value)
    {
        _values.Add(value);
        _sorted = false;
    }

    public void Add(Percentiles others)
    {
        _values.AddRange(others._values);
        _sorted = false;
    }

    /// <summary>The value that this share of the readings stays below.</summary>
    public double At(double share)
    {
        if (!_sorted)
            _values.Sort();
        _sorted = true;
        return _values.Count == 0 ? double.NaN : _values[Math.Min(_values.Count - 1, (int)(_values.Count * share))];
    }

    public override string ToString() => $"p50 {At(0.5),7:0.000}  p99 {At(0.99),7:0.000}";
}
