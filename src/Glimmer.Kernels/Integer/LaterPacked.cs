namespace Glimmer.Kernels.Integer;

/// <summary>A rearranged copy that is made when it is first needed: a model can be used before all its weights were rearranged.</summary>
internal sealed class LaterPacked(WeightMatrix source, Action? made)
{
    private readonly Lock _gate = new();
    private volatile PackedMatrix? _packed;

    /// <summary>The copy. The first caller makes it with all cores; others wait for it.</summary>
    public PackedMatrix Get()
    {
        if (_packed is { } packed)
            return packed;
        lock (_gate)
        {
            if (_packed is null)
            {
                _packed = PackedMatrix.Pack(source);
                made?.Invoke();
            }

            return _packed;
        }
    }
}
