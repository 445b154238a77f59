using Glimmer.Kernels;
using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>Cosines and sines for the rows of a pass, shape (rows, pairs) each.</summary>
internal readonly unsafe struct RotationTable(float* cos, float* sin, int pairs, RotaryPairing pairing)
{
    private readonly float* _cos = cos;
    private readonly float* _sin = sin;
    private readonly int _pairs = pairs;
    private readonly RotaryPairing _pairing = pairing;

    /// <summary>Rotates the first 2·pairs components of heads of the token in <paramref name="row"/>.</summary>
    /// <param name="first">The first head.</param>
    /// <param name="heads">How many.</param>
    /// <param name="stride">Numbers from one head to the next.</param>
    /// <param name="row">Row of the token.</param>
    public void Apply(float* first, int heads, int stride, int row)
    {
        ReadOnlySpan<float> c = new(_cos + (long)row * _pairs, _pairs), s = new(_sin + (long)row * _pairs, _pairs);
        RotaryEmbedding.RotateHeads(_pairing, new Span<float>(first, (heads - 1) * stride + 2 * _pairs), heads, stride, c, s);
    }
}

/// <summary>Rotary position embedding: frequencies once per model, cosines and sines once per pass.</summary>
internal sealed unsafe class Rotation
{
    private readonly float[] _frequencies;
    private readonly float _magnitude;
    private readonly RotaryPairing _pairing;

    /// <summary>Computes the frequencies of <paramref name="config"/>.</summary>
    public Rotation(RopeConfig config)
    {
        _frequencies = Frequencies(config);
        _magnitude = (float)(config.Yarn?.AttentionFactor ?? 1);
        _pairing = config.Pairing;
    }

    /// <summary>Angle per position of every pair, in radians.</summary>
    public ReadOnlySpan<float> InverseFrequencies => _frequencies;

    /// <summary>Fills the table for the rows of a pass. Angles are single-precision products, as in the reference.</summary>
    public RotationTable For(ForwardPass pass)
    {
        int pairs = _frequencies.Length;
        Rows cos = pass.Scratch.Rows(pass.RowCount, pairs), sin = pass.Scratch.Rows(pass.RowCount, pairs);
        for (int row = 0; row < pass.RowCount; row++)
        {
            float position = pass.Position(row);
            float* c = cos.Row(row), s = sin.Row(row);
            for (int j = 0; j < pairs; j++)
            {
                (double sine, double cosine) = Math.SinCos(position * _frequencies[j]);
                c[j] = (float)cosine * _magnitude;
                s[j] = (float)sine * _magnitude;
            }
        }

        return new RotationTable(cos.Data, sin.Data, pairs, _pairing);
    }

    // theta^(−2j/d); YaRN keeps fast frequencies, divides slow ones by its factor and blends between (arXiv 2309.00071).
    private static float[] Frequencies(RopeConfig config)
    {
        int dimensions = config.Dimensions;
        float[] frequencies = new float[dimensions / 2];
        for (int j = 0; j < frequencies.Length; j++)
        {
            double frequency = Math.Pow(config.Theta, -2.0 * j / dimensions) / config.LinearFactor;
            if (config.Yarn is { } yarn)
            {
                double low = Border(config, yarn, yarn.BetaFast), high = Border(config, yarn, yarn.BetaSlow);
                if (yarn.Truncate)
                    (low, high) = (Math.Floor(low), Math.Ceiling(high));
                (low, high) = (Math.Max(low, 0), Math.Min(high, dimensions - 1));
                double ramp = Math.Clamp((j - low) / (high == low ? 0.001 : high - low), 0, 1);
                frequency = frequency * (1 - ramp) + frequency / yarn.Factor * ramp;
            }

            frequencies[j] = (float)frequency;
        }

        return frequencies;
    }

    private static double Border(RopeConfig config, YarnConfig yarn, double beta) =>
        config.Dimensions * Math.Log(yarn.OriginalContext / (2 * Math.PI * beta)) / (2 * Math.Log(config.Theta));
}
