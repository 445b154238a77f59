using System.Numerics;
using Glimmer.Kernels.Elementwise;

namespace Glimmer.Engine.Sampling;

/// <summary>
/// Chooses a token from a row of logits. Holds scratch memory only: the result is a function of the logits, the
/// options, the history and the random number. One instance per thread.
/// </summary>
/// <remarks>
/// Filters follow the definitions of Hugging Face transformers: top-k keeps everything that ties with the k-th;
/// top-p drops a token when it and all less likely ones together do not exceed 1 − p; min-p compares with the most
/// likely token; each works on what the one before it left. At equal probability the lower id comes first.
/// </remarks>
internal sealed class Sampler
{
    private int[] _ids = [];
    private float[] _weights = [];
    private float[] _sums = [];
    private float[] _largest = [];
    private float[] _order = [];
    private int _candidates;
    private float[] _scratch = [];

    /// <summary>A row to work in when the model's logits are still needed.</summary>
    public Span<float> Scratch(int length)
    {
        if (_scratch.Length < length)
            _scratch = GC.AllocateUninitializedArray<float>(length);
        return _scratch.AsSpan(0, length);
    }

    /// <summary>
    /// Changes the logits as the options say: bias, then repetition, presence and frequency penalties, then tokens
    /// outside the mask to −∞.
    /// </summary>
    /// <param name="logits">One row; changed in place.</param>
    /// <param name="options">The request's options.</param>
    /// <param name="bias"><see cref="SamplingOptions.LogitBias"/> as an array: enumerating the dictionary would allocate.</param>
    /// <param name="history">Tokens seen; null when no penalty is on.</param>
    /// <param name="mask">Bit i allows token i; empty allows all.</param>
    public static void Adjust(Span<float> logits, SamplingOptions options, ReadOnlySpan<KeyValuePair<int, float>> bias, TokenHistory? history, ReadOnlySpan<uint> mask)
    {
        foreach ((int token, float amount) in bias)
            logits[token] += amount;

        for (int i = 0; history is not null && i < history.Count; i++)
        {
            (int token, int generated) = history[i];
            ref float logit = ref logits[token];
            logit = logit > 0 ? logit / options.RepetitionPenalty : logit * options.RepetitionPenalty;
            if (generated > 0)
                logit -= options.PresencePenalty + options.FrequencyPenalty * generated;
        }

        if (mask.IsEmpty)
            return;
        for (int word = 0; word * 32 < logits.Length; word++)
        {
            uint banned = ~mask[word];
            if (banned == uint.MaxValue)
            {
                logits.Slice(word * 32, Math.Min(32, logits.Length - word * 32)).Fill(float.NegativeInfinity);
                continue;
            }

            while (banned != 0)
            {
                int token = word * 32 + BitOperations.TrailingZeroCount(banned);
                banned &= banned - 1;
                if (token < logits.Length)
                    logits[token] = float.NegativeInfinity;
            }
        }
    }

    /// <summary>Chooses from adjusted logits, which are overwritten.</summary>
    /// <param name="logits">One row after <see cref="Adjust"/>.</param>
    /// <param name="options">The request's options.</param>
    /// <param name="uniform">A number in [0, 1).</param>
    /// <exception cref="InvalidOperationException">No token has a finite logit, or one is not a number.</exception>
    public int Choose(Span<float> logits, SamplingOptions options, double uniform)
    {
        int best = RowScans.IndexOfLargest(logits, out float max);
        if (best < 0 || !float.IsFinite(max))
            throw new InvalidOperationException(float.IsNaN(max) ? "The model's logits are not numbers." : "No token can be chosen: the largest logit is not finite.");
        if (options.Greedy || options.Temperature == 0 || options.TopK == 1)
            return best;
        double total = Filter(logits, max, options);
        double target = uniform * total, sum = 0;
        if (_candidates < 0)
            return ChooseFromAll(logits, best, target);

        int chosen = _ids[_candidates - 1];
        for (int i = 0; i < _candidates; i++)
        {
            sum += _weights[i];
            if (sum > target)
                return _ids[i];
        }

        return chosen;
    }

    /// <summary>Walks the blocks' sums to the block that holds the target, and then its tokens.</summary>
    private int ChooseFromAll(ReadOnlySpan<float> weights, int best, double target)
    {
        int last = best;
        double sum = 0;
        for (int block = 0; block < RowScans.BlocksOf(weights.Length); block++)
        {
            double after = sum + _sums[block];
            if (after <= target)
            {
                sum = after;
                continue;
            }

            int end = Math.Min(weights.Length, (block + 1) * RowScans.Block);
            for (int token = block * RowScans.Block; token < end; token++)
            {
                if (weights[token] <= 0)
                    continue;
                last = token;
                sum += weights[token];
                if (sum > target)
                    return token;
            }

            // The block's sum was rounded otherwise than this one: it was its last token.
            return last;
        }

        // Past the end by rounding: the last token that has any weight.
        for (int token = weights.Length - 1; token >= 0; token--)
        {
            if (weights[token] > 0)
                return token;
        }

        return last;
    }

    /// <summary>The distribution that <see cref="Choose"/> draws from, for tests: shape (vocabulary).</summary>
    internal float[] Distribution(Span<float> logits, SamplingOptions options)
    {
        float[] result = new float[logits.Length];
        double total = Filter(logits, RowScans.IndexOfLargest(logits, out float max) < 0 ? 0 : max, options);
        for (int i = 0; i < (_candidates < 0 ? logits.Length : _candidates); i++)
        {
            if (_candidates < 0)
                result[i] = (float)(logits[i] / total);
            else
                result[_ids[i]] = (float)(_weights[i] / total);
        }

        return result;
    }

    /// <summary>The chosen token's and the most likely tokens' log-probabilities, from unadjusted logits.</summary>
    /// <param name="logits">One row as the model gave it.</param>
    /// <param name="top">Receives the most likely tokens, best first.</param>
    /// <returns>The logarithm of Σ exp(logit): a token's log-probability is its logit less this.</returns>
    public static float LogProbs(ReadOnlySpan<float> logits, Span<TokenLogProb> top)
    {
        _ = RowScans.IndexOfLargest(logits, out float max);
        float normaliser = max + (float)Math.Log(LogitsMath.SumOfExponentials(logits, max));
        int count = 0;
        for (int token = 0; token < logits.Length && top.Length > 0; token++)
        {
            float value = logits[token];
            if (count == top.Length && value <= top[count - 1].LogProb)
                continue;
            int place = count < top.Length ? count++ : count - 1;
            for (; place > 0 && top[place - 1].LogProb < value; place--)
                top[place] = top[place - 1];
            top[place] = new TokenLogProb(token, value);
        }

        for (int i = 0; i < count; i++)
            top[i] = top[i] with { LogProb = top[i].LogProb - normaliser };
        return normaliser;
    }

    /// <summary>
    /// Turns logits into weights and leaves either all of them in place (candidates −1) or the kept ones, sorted, in
    /// the scratch arrays. Returns the sum of the kept weights.
    /// </summary>
    private double Filter(Span<float> logits, float max, SamplingOptions options)
    {
        int blocks = RowScans.BlocksOf(logits.Length);
        if (_sums.Length < blocks)
        {
            _sums = new float[blocks];
            _largest = new float[blocks];
            _order = new float[blocks];
        }

        double total = RowScans.Exponentials(logits, max, 1 / options.Temperature, _sums, _largest);
        bool topK = options.TopK > 0 && options.TopK < logits.Length;
        bool topP = options.TopP < 1;
        if (!topK && !topP)
        {
            _candidates = -1;
            if (options.MinP <= 0)
                return total;
            // No token weighs more than the most likely one's 1, so what min-p leaves is little.
            Collect(logits, options.MinP);
            total = 0;
            for (int i = 0; i < _candidates; i++)
                total += _weights[i];
            return total;
        }

        // A token whose weight is at most (1 − p)·total / vocabulary can't survive top-p: it and all below it weigh
        // no more than (1 − p)·total. That leaves few enough to sort.
        if (topK)
            Collect(logits, LeastOfTop(options.TopK, blocks));
        else if (!HoldsTopP(logits, options.TopP * total))
            Collect(logits, (float)((1 - options.TopP) * total / logits.Length * 0.999));
        int kept = topK ? SortTopK(options.TopK, out total) : 0;
        if (topP)
            kept = SortTopP(options.TopP, total, alreadySorted: topK ? kept : 0);
        if (options.MinP > 0)
        {
            while (kept > 1 && _weights[kept - 1] < options.MinP * _weights[0])
                kept--;
        }

        _candidates = kept;
        double sum = 0;
        for (int i = 0; i < kept; i++)
            sum += _weights[i];
        return sum;
    }

    private void Collect(ReadOnlySpan<float> weights, float least)
    {
        if (_ids.Length < weights.Length)
        {
            _ids = GC.AllocateUninitializedArray<int>(weights.Length);
            _weights = GC.AllocateUninitializedArray<float>(weights.Length);
        }

        // What weighs nothing is never a candidate.
        _candidates = RowScans.PickFrom(weights, Math.Max(least, float.Epsilon), _largest, _ids, _weights);
    }

    /// <summary>Collects what is likely alone; true when that is enough, so that all of top-p is among it.</summary>
    private bool HoldsTopP(ReadOnlySpan<float> weights, double wanted)
    {
        const float Likely = 1f / 1024;
        Collect(weights, Likely);
        double sum = 0;
        for (int i = 0; i < _candidates; i++)
            sum += _weights[i];
        // A little more than wanted: this sum adds in another order than the cut will.
        return sum > wanted * (1 + 1e-6);
    }

    /// <summary>
    /// A weight that at least k tokens reach: the k-th largest of the blocks' largest. 0 when there are fewer blocks.
    /// </summary>
    private float LeastOfTop(int k, int blocks)
    {
        if (k > blocks)
            return 0;
        _largest.AsSpan(0, blocks).CopyTo(_order);
        _order.AsSpan(0, blocks).Sort();
        return _order[blocks - k];
    }

    private int SortTopK(int k, out double total)
    {
        CandidateHeap heap = new(_ids, _weights, _candidates);
        total = 0;
        int kept = 0;
        while (heap.Count > 0 && (kept < k || heap.Best == heap.Popped(kept - 1)))
        {
            total += heap.Best;
            heap.Pop();
            kept++;
        }

        heap.MovePoppedToFront(kept);
        return kept;
    }

    private int SortTopP(float p, double total, int alreadySorted)
    {
        double before = 0, limit = p * total;
        int kept = 0;
        if (alreadySorted > 0)
        {
            while (kept < alreadySorted && (kept == 0 || before < limit))
                before += _weights[kept++];
            return kept;
        }

        CandidateHeap heap = new(_ids, _weights, _candidates);
        while (heap.Count > 0 && (kept == 0 || before < limit))
        {
            before += heap.Best;
            heap.Pop();
            kept++;
        }

        heap.MovePoppedToFront(kept);
        return kept;
    }
}
