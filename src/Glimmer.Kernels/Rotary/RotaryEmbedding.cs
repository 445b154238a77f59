using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels;

/// <summary>Which two dimensions of a head turn together.</summary>
public enum RotaryPairing
{
    /// <summary>Neighbours: 2j and 2j+1 (GPT-J).</summary>
    Interleaved,

    /// <summary>The halves: j and j + d/2 (GPT-NeoX).</summary>
    HalfSplit,
}

/// <summary>YaRN: stretches a rotary embedding to longer contexts (Peng et al., 2023).</summary>
/// <param name="Factor">s, how many times longer; above 0.</param>
/// <param name="OriginalPositions">Context length of the training.</param>
/// <param name="BetaFast">Rotations over the original context above which a frequency is kept.</param>
/// <param name="BetaSlow">Rotations below which a frequency is divided by the factor.</param>
public sealed record YarnScaling(float Factor, int OriginalPositions, float BetaFast = 32, float BetaSlow = 1)
{
    /// <summary>Factor on cosines and sines: 0.1·ln s + 1, and 1 for s ≤ 1.</summary>
    public float Attention => Factor <= 1 ? 1 : (float)(0.1 * Math.Log(Factor) + 1);
}

/// <summary>Rotary position embedding of the leading dimensions of heads (Su et al., 2021): frequencies, angles, rotation.</summary>
/// <remarks>
/// Frequencies and angles are single-precision numbers as in the reference implementation, so far positions carry the same rounding;
/// cosine and sine of that angle are taken in double precision and rounded once. Rotation is two products and one sum per number, each rounded.
/// </remarks>
public sealed unsafe class RotaryEmbedding
{
    private readonly float[] _frequencies;
    private readonly float _attention;

    /// <summary>An embedding of <paramref name="dimensions"/> leading dimensions, inv_freq_j = theta^(−2j/d).</summary>
    /// <param name="dimensions">d, rotated dimensions of a head: even, at least 2.</param>
    /// <param name="theta">Base of the frequencies, above 0.</param>
    /// <param name="yarn">Context extension, or null.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public RotaryEmbedding(int dimensions, double theta, YarnScaling? yarn = null)
    {
        if (dimensions < 2 || dimensions > 65536 || dimensions % 2 != 0)
            throw new ArgumentException($"{dimensions} rotated dimensions are not possible; use an even number from 2 to 65536.", nameof(dimensions));
        if (!(theta > 0) || !double.IsFinite(theta))
            throw new ArgumentException($"The base of rotary frequencies must be a positive number, not {theta}.", nameof(theta));
        if (yarn is not null && (!(yarn.Factor > 0) || !float.IsFinite(yarn.Factor) || yarn.OriginalPositions < 1))
            throw new ArgumentException($"YaRN needs a positive factor and original length, not {yarn.Factor} and {yarn.OriginalPositions}.", nameof(yarn));
        Dimensions = dimensions;
        _frequencies = new float[dimensions / 2];
        for (int j = 0; j < _frequencies.Length; j++)
            _frequencies[j] = 1f / (float)Math.Pow(theta, (float)(2 * j) / dimensions);
        _attention = yarn?.Attention ?? 1;
        if (yarn is not null)
            Stretch(theta, yarn);
    }

    /// <summary>Rotated dimensions of a head; cosines and sines per position are half as many.</summary>
    public int Dimensions { get; }

    /// <summary>inv_freq_j, after any scaling.</summary>
    public ReadOnlySpan<float> Frequencies => _frequencies;

    /// <summary>Computes cosines and sines (<see cref="Dimensions"/>/2 each) of a position.</summary>
    public void Fill(int position, Span<float> cosines, Span<float> sines)
    {
        CheckTable(cosines, sines);
        for (int j = 0; j < _frequencies.Length; j++)
            Set(j, position, cosines, sines);
    }

    /// <summary>
    /// The same for three positions (time, height, width): frequencies below <paramref name="timeSection"/> use the first, the next
    /// <paramref name="heightSection"/> the second, the others the third (M-RoPE with contiguous sections).
    /// </summary>
    public void Fill(int time, int height, int width, int timeSection, int heightSection, Span<float> cosines, Span<float> sines)
    {
        CheckTable(cosines, sines);
        for (int j = 0; j < _frequencies.Length; j++)
            Set(j, j < timeSection ? time : j < timeSection + heightSection ? height : width, cosines, sines);
    }

    /// <summary>
    /// Rotates the leading dimensions of one head in place: (u, v) → (u·cos − v·sin, v·cos + u·sin). Dimensions beyond 2·cosines.Length stay.
    /// </summary>
    /// <exception cref="ArgumentException">The head is shorter than the rotated dimensions, or cosines and sines differ in number.</exception>
    public static void Rotate(RotaryPairing pairing, Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines) =>
        RotateHeads(pairing, head, 1, head.Length, cosines, sines);

    /// <summary>Rotates <paramref name="heads"/> heads of one token, <paramref name="stride"/> floats apart, by the same angles.</summary>
    /// <exception cref="ArgumentException">The heads do not fit the rotated dimensions, or cosines and sines differ in number.</exception>
    public static void RotateHeads(RotaryPairing pairing, Span<float> row, int heads, int stride, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines) =>
        RotateHeads(InstructionSets.Current, pairing, row, heads, stride, cosines, sines);

    internal static void RotateHeads(InstructionSet set, RotaryPairing pairing, Span<float> row, int heads, int stride, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        int half = cosines.Length;
        if (sines.Length != half || heads < 0 || (heads > 0 && (stride < 2 * half && heads > 1 || (heads - 1L) * stride + 2 * half > row.Length)))
            throw new ArgumentException($"{heads} heads at a stride of {stride} in a row of {row.Length} do not fit {half} cosines and {sines.Length} sines.", nameof(row));
        if (half == 0 || heads == 0)
            return;
        fixed (float* data = row, cos = cosines, sin = sines)
        {
            var kernel = new Kernel(pairing, data, heads, stride, cos, sin, half);
            LaneDispatch.Run(set, ref kernel);
        }
    }

    /// <summary>Interpolates the slow frequencies; the fast ones, which turn often within the original context, stay.</summary>
    private void Stretch(double theta, YarnScaling yarn)
    {
        double low = Math.Floor(CorrectionDimension(yarn.BetaFast)), high = Math.Ceiling(CorrectionDimension(yarn.BetaSlow));
        low = Math.Max(low, 0);
        high = Math.Min(high, Dimensions - 1);
        if (low == high)
            high += 0.001; // as the reference does, to avoid a division by zero
        for (int j = 0; j < _frequencies.Length; j++)
        {
            float ramp = Math.Clamp((float)((j - low) / (high - low)), 0f, 1f);
            float keep = 1 - ramp;
            _frequencies[j] = _frequencies[j] / yarn.Factor * (1 - keep) + _frequencies[j] * keep;
        }

        double CorrectionDimension(double rotations) =>
            Dimensions * Math.Log(yarn.OriginalPositions / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
    }

    private void Set(int j, int position, Span<float> cosines, Span<float> sines)
    {
        (double sine, double cosine) = Math.SinCos(position * _frequencies[j]);
        cosines[j] = (float)cosine * _attention;
        sines[j] = (float)sine * _attention;
    }

    private void CheckTable(Span<float> cosines, Span<float> sines)
    {
        if (cosines.Length != _frequencies.Length || sines.Length != _frequencies.Length)
            throw new ArgumentException($"Room for {cosines.Length} cosines and {sines.Length} sines; {_frequencies.Length} are needed.", nameof(cosines));
    }

    // Pairs whose cosines and sines fit the stack, laid out for neighbours.
    private const int MostSpread = 256;

    private readonly struct Kernel(RotaryPairing pairing, float* row, int heads, int stride, float* cosines, float* sines, int half) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            if (pairing == RotaryPairing.Interleaved && half % 8 == 0 && half <= MostSpread)
            {
                Spread<V>();
                return;
            }

            for (int h = 0; h < heads; h++)
            {
                float* head = row + (long)h * stride;
                if (pairing == RotaryPairing.HalfSplit)
                    RotateHalves<V>(head, cosines, sines, half);
                else
                    RotateNeighbours(head, cosines, sines, half);
            }
        }

        // Neighbours change places in a register; cosines are laid out twice each, sines as −sin, sin, for all heads.
        private void Spread<V>()
            where V : struct, ILanes<V>
        {
            float* cos = stackalloc float[2 * MostSpread], sin = stackalloc float[2 * MostSpread];
            for (int j = 0; j < half; j++)
            {
                cos[2 * j] = cos[2 * j + 1] = cosines[j];
                sin[2 * j] = -sines[j];
                sin[2 * j + 1] = sines[j];
            }

            for (int h = 0; h < heads; h++)
                RotateSpread<V>(row + (long)h * stride, cos, sin, 2 * half);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void RotateSpread<V>(float* head, float* cos, float* sin, int width)
            where V : struct, ILanes<V>
        {
            for (int i = 0; i < width; i += 16)
            {
                V x = V.Load(head + i);
                V.Store(x * V.Load(cos + i) + V.SwapNeighbours(x) * V.Load(sin + i), head + i);
            }
        }

        private static void RotateHalves<V>(float* head, float* cosines, float* sines, int half)
            where V : struct, ILanes<V>
        {
            int j = 0;
            for (; j + 16 <= half; j += 16)
            {
                V u = V.Load(head + j), v = V.Load(head + half + j), cos = V.Load(cosines + j), sin = V.Load(sines + j);
                V.Store(u * cos - v * sin, head + j);
                V.Store(v * cos + u * sin, head + half + j);
            }

            for (; j < half; j++)
            {
                float u = head[j], v = head[half + j];
                head[j] = u * cosines[j] - v * sines[j];
                head[half + j] = v * cosines[j] + u * sines[j];
            }
        }

        private static void RotateNeighbours(float* head, float* cosines, float* sines, int half)
        {
            for (int j = 0; j < half; j++)
            {
                float u = head[2 * j], v = head[2 * j + 1];
                head[2 * j] = u * cosines[j] - v * sines[j];
                head[2 * j + 1] = v * cosines[j] + u * sines[j];
            }
        }
    }
}
