namespace Glimmer.Kernels.Integer;

/// <summary>The sums of one run of codes with one row of activations, for sixteen rows of weights.</summary>
internal unsafe interface IByteDots
{
    /// <summary>results[r] = fma(float(start + Σ code[r]·q), scales[r]·factor, results[r]) for sixteen rows r.</summary>
    /// <param name="codes">Quads of 64 unsigned codes, row r in bytes 4r … 4r + 3.</param>
    /// <param name="quads">Number of quads.</param>
    /// <param name="x">First four activations; the next four are <paramref name="step"/> integers further.</param>
    /// <param name="step">Rows of the panel.</param>
    /// <param name="start">The sum's start: what takes back the zero of the codes.</param>
    /// <param name="together">How many products of two fit 16 bits; 0 for codes up to 255, which have their zero at 128.</param>
    /// <param name="scales">Sixteen scales.</param>
    /// <param name="factor">The activations' scale, or 1.</param>
    /// <param name="results">Sixteen results.</param>
    static abstract void Accumulate(byte* codes, int quads, int* x, int step, int start, int together, float* scales, float factor, float* results);

    /// <summary>As <see cref="Accumulate"/> for four neighbouring rows of activations, whose results lie 16 apart.</summary>
    /// <param name="codes">Quads of 64 unsigned codes.</param>
    /// <param name="quads">Number of quads.</param>
    /// <param name="x">First four activations of the first row; the next rows' follow.</param>
    /// <param name="step">Rows of the panel.</param>
    /// <param name="starts">Each row's start.</param>
    /// <param name="together">How many products of two fit 16 bits, or 0.</param>
    /// <param name="scales">Sixteen scales.</param>
    /// <param name="factors">Each row's factor.</param>
    /// <param name="results">Sixteen results per row.</param>
    static abstract void AccumulateFour(byte* codes, int quads, int* x, int step, int* starts, int together, float* scales, float* factors, float* results);

    /// <summary>results[r] = fma(float(Σ pairs[step, r] · sums[step]), scales[r], results[r]), each product of two pairs of 16-bit numbers.</summary>
    /// <param name="pairs">Per step two numbers for each of sixteen rows.</param>
    /// <param name="steps">Number of steps.</param>
    /// <param name="sums">First pair of sums; the next one is <paramref name="step"/> integers further.</param>
    /// <param name="step">Rows of the panel.</param>
    /// <param name="scales">Sixteen scales.</param>
    /// <param name="results">Sixteen results.</param>
    static abstract void AddOffsets(short* pairs, int steps, int* sums, int step, float* scales, float* results);
}
