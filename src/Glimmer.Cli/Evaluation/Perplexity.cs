using Glimmer.Kernels;
using Glimmer.Models;
using Glimmer.Models.Memory;

namespace Glimmer.Cli.Evaluation;

/// <summary>How well a model predicts a text, and how far another form of it agrees.</summary>
/// <param name="Tokens">Tokens that were predicted.</param>
/// <param name="NegativeLogLikelihood">Sum of −ln p of the tokens that came.</param>
/// <param name="StandardError">Standard error of its mean per token.</param>
/// <param name="Agreements">Positions where both forms hold the same token for the likeliest; 0 without another form.</param>
/// <param name="Divergence">Mean of KL(first ‖ second) per token in nats; 0 without another form.</param>
internal sealed record PerplexityResult(long Tokens, double NegativeLogLikelihood, double StandardError, long Agreements, double Divergence)
{
    /// <summary>e to the mean negative log-likelihood.</summary>
    public double Perplexity => Math.Exp(NegativeLogLikelihood / Tokens);
}

/// <summary>
/// Runs a text through a model in windows; of each window the second half is scored, so that every scored token has at
/// least half a window before it.
/// </summary>
/// <param name="window">Tokens per window, at least 4.</param>
/// <param name="team">Threads.</param>
internal sealed class Perplexity(int window, ThreadTeam team)
{
    private const int PageTokens = 64;

    /// <summary>Scores <paramref name="model"/>, and compares it with <paramref name="reference"/> when there is one (same vocabulary).</summary>
    /// <param name="model">The model to score.</param>
    /// <param name="reference">The form that it should agree with.</param>
    /// <param name="tokens">The text.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancel">Stops between windows.</param>
    public PerplexityResult Run(LanguageModel model, LanguageModel? reference, IReadOnlyList<int> tokens, Action<double>? progress, CancellationToken cancel)
    {
        if (reference is not null && reference.Description.VocabularySize != model.Description.VocabularySize)
            throw new ArgumentException($"The models have vocabularies of {model.Description.VocabularySize} and {reference.Description.VocabularySize}; only two forms of one model can be compared.", nameof(reference));
        double sum = 0, squares = 0, divergence = 0;
        long count = 0, agreements = 0;
        int vocabulary = model.Description.VocabularySize, step = window / 2;
        using Pass first = new(model, window);
        using Pass? second = reference is null ? null : new Pass(reference, window);
        double[] p = new double[vocabulary], q = new double[vocabulary];
        for (int start = 0; start + window <= tokens.Count; start += step)
        {
            cancel.ThrowIfCancellationRequested();
            int[] piece = [.. tokens.Skip(start).Take(window)];
            first.Run(piece, team);
            second?.Run(piece, team);
            for (int row = window - step - 1; row < window - 1; row++)
            {
                int best = LogSoftmax(first.Logits(row), p);
                double loss = -p[piece[row + 1]];
                sum += loss;
                squares += loss * loss;
                count++;
                if (second is null)
                    continue;
                if (LogSoftmax(second.Logits(row), q) == best)
                    agreements++;
                for (int i = 0; i < vocabulary; i++)
                    divergence += Math.Exp(q[i]) * (q[i] - p[i]);
            }

            progress?.Invoke((double)(start + window) / tokens.Count);
        }

        if (count == 0)
            throw new ArgumentException($"The text has {tokens.Count} tokens, fewer than one window of {window}.", nameof(tokens));
        double mean = sum / count;
        return new PerplexityResult(count, sum, Math.Sqrt(Math.Max(0, squares / count - mean * mean) / count), agreements, divergence / count);
    }

    // Natural logarithms of the probabilities; returns the likeliest token, the lower one of two.
    private static int LogSoftmax(ReadOnlySpan<float> logits, double[] logs)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
                best = i;
        }

        double sum = 0;
        for (int i = 0; i < logits.Length; i++)
            sum += Math.Exp(logits[i] - (double)logits[best]);
        double shift = logits[best] + Math.Log(sum);
        for (int i = 0; i < logits.Length; i++)
            logs[i] = logits[i] - shift;
        return best;
    }

    private sealed class Pass : IDisposable
    {
        private readonly LanguageModel _model;
        private readonly KvArena _arena;
        private readonly ForwardBatch _batch = new();
        private readonly int[] _pages;

        public Pass(LanguageModel model, int window)
        {
            _model = model;
            _pages = [.. Enumerable.Range(0, (window + PageTokens - 1) / PageTokens)];
            _arena = new KvArena(model.KvLayout, _pages.Length, PageTokens, stateSlots: 1, model.KvFormat);
        }

        public void Run(int[] tokens, ThreadTeam team)
        {
            _batch.Clear();
            _batch.Add(new SequenceChunk(tokens, 0, _pages, 0, LogitsWanted.All));
            _model.Forward(_batch, _arena, team);
        }

        public ReadOnlySpan<float> Logits(int row) => _batch.Logits(0, row, _model.Description.VocabularySize);

        public void Dispose() => _arena.Dispose();
    }
}
