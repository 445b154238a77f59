using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Glimmer.Dialogue.Constraints;
using Glimmer.Engine.Sampling;
using Glimmer.Engine.Scheduling;

namespace Glimmer.Engine;

/// <summary>From logits to tokens to sinks.</summary>
public sealed partial class InferenceEngine
{
    private static readonly Action<InferenceEngine, int> ChoosePart = static (engine, part) => engine.Choose(part);
    private int _chooseParts;

    private void ChooseAll()
    {
        int rows = _batch.LogitsRows;
        if (rows == 0)
            return;
        _chooseParts = Math.Min(_samplers.Length, rows);
        _team.Run(_chooseParts, this, ChoosePart);
    }

    [SuppressMessage("Design", "CA1031", Justification = "A constraint or logits that fail end their own request only; Deliver logs it.")]
    private void Choose(int part)
    {
        Sampler sampler = _samplers[part];
        for (int i = part; i < _planned.Count; i += _chooseParts)
        {
            Sequence sequence = _planned[i];
            sequence.DecidedCount = sequence.GuessesRight = sequence.Forced = 0;
            if (!sequence.WantsToken || sequence.Failure is not null)
                continue;
            try
            {
                Decide(sequence, sampler);
            }
            catch (Exception exception)
            {
                sequence.Failure = exception;
            }
        }
    }

    /// <summary>
    /// Chooses the next token and, while guesses prove right or the constraint leaves no choice, those after it. Each
    /// is chosen exactly as a pass of its own would choose it.
    /// </summary>
    private void Decide(Sequence sequence, Sampler sampler)
    {
        ITokenConstraint? constraint = sequence.Request.Constraint;
        SamplingOptions options = sequence.Request.Sampling;
        bool noChoice = false;
        for (int row = 0; ; row++)
        {
            Span<float> logits = _batch.Logits(sequence.Chunk, row, _vocabulary);
            foreach ((int start, int length) in _unused)
                logits.Slice(start, length).Fill(float.NegativeInfinity);
            float normaliser = sequence.Request.TopLogProbs is { } top ? Sampler.LogProbs(logits, TopOf(sequence, row, top)) : 0;
            ReadOnlySpan<uint> mask = sequence.MaskRestricts ? sequence.Mask : default;
            noChoice = !mask.IsEmpty && SingleToken(mask) >= 0;
            if (sequence.Request.TopLogProbs is null)
            {
                Sampler.Adjust(logits, options, sequence.Bias, sequence.History, mask);
                if (!Take(sequence, sampler.Choose(logits, options, Draw(sequence))))
                    return;
            }
            else
            {
                // The scratch copy keeps the model's own logit of whatever is chosen.
                int chosen = ChooseWithLogProb(sequence, sampler, logits, mask, normaliser);
                if (!Take(sequence, chosen))
                    return;
            }

            if (row >= sequence.GuessCount || sequence.Guesses[row] != sequence.Decided[row])
                break;
            sequence.GuessesRight++;
            if (constraint is not null)
                sequence.MaskRestricts = constraint.FillMask(sequence.Mask);
        }

        // A run of forced tokens usually goes on: look ahead at once instead of after another pass.
        while (noChoice && _options.JumpAhead && sequence.Request.TopLogProbs is null && sequence.DecidedCount < sequence.Decided.Length)
        {
            sequence.MaskRestricts = constraint!.FillMask(sequence.Mask);
            int only = sequence.MaskRestricts ? SingleToken(sequence.Mask) : -1;
            sequence.MaskReady = only < 0;
            if (only < 0)
                return;
            sequence.Forced++;
            if (!Take(sequence, only))
                return;
        }
    }

    private int ChooseWithLogProb(Sequence sequence, Sampler sampler, Span<float> logits, ReadOnlySpan<uint> mask, float normaliser)
    {
        Span<float> scratch = sampler.Scratch(logits.Length);
        logits.CopyTo(scratch);
        Sampler.Adjust(scratch, sequence.Request.Sampling, sequence.Bias, sequence.History, mask);
        int chosen = sampler.Choose(scratch, sequence.Request.Sampling, Draw(sequence));
        int stride = sequence.Request.TopLogProbs!.Value + 1;
        sequence.LogProbs[sequence.DecidedCount * stride] = new TokenLogProb(chosen, logits[chosen] - normaliser);
        return chosen;
    }

    private static Span<TokenLogProb> TopOf(Sequence sequence, int row, int top) =>
        sequence.LogProbs.AsSpan(row * (top + 1) + 1, top);

    private static double Draw(Sequence sequence) =>
        Philox.Uniform(sequence.Seed, (ulong)(sequence.Generated + sequence.DecidedCount));

    /// <summary>Notes a chosen token; false when it is the answer's last.</summary>
    private static bool Take(Sequence sequence, int token)
    {
        sequence.Decided[sequence.DecidedCount++] = token;
        int decided = sequence.DecidedCount;
        if (sequence.Request.StopTokens.Contains(token)
            || sequence.Generated + decided >= sequence.Request.MaxTokens
            || sequence.Count + decided >= sequence.Limit)
        {
            return false;
        }

        sequence.History?.AddGenerated(token);
        sequence.Request.Constraint?.Accept(token);
        return true;
    }

    /// <summary>The only token of a mask, or −1 when there are more.</summary>
    private static int SingleToken(ReadOnlySpan<uint> mask)
    {
        int only = -1;
        for (int word = 0; word < mask.Length; word++)
        {
            if (mask[word] == 0)
                continue;
            if (only >= 0 || !BitOperations.IsPow2(mask[word]))
                return -1;
            only = word * 32 + BitOperations.TrailingZeroCount(mask[word]);
        }

        return only;
    }

    [SuppressMessage("Design", "CA1031", Justification = "A sink that throws ends its own request only; the fault is logged.")]
    private void Deliver(Sequence sequence)
    {
        if (sequence.Ended)
            return;
        int known = sequence.Count;
        int computed = sequence.ChunkTokens - sequence.GuessCount;
        sequence.Computed += computed;
        if (!sequence.Decoding)
        {
            _prefilledTokens += computed;
            _scheduler.Share(sequence);
        }

        if (sequence.Failure is { } failure)
        {
            LogChoiceFault(_logger, failure);
            End(sequence, GenerationEnd.Fault, keepRows: true);
            return;
        }

        if (!sequence.WantsToken)
            return;
        sequence.Decoding = true;
        _drafted += sequence.GuessCount;
        _accepted += sequence.GuessesRight;
        _forced += sequence.Forced;
        if (sequence.GuessSource == GuessSource.Text)
            sequence.Drafter?.Learn(sequence.GuessCount, sequence.GuessesRight, _guessesPayAt);
        GenerationEnd? end = null;
        try
        {
            if (!sequence.PrefillReported)
            {
                sequence.PrefillReported = true;
                sequence.Request.Sink.OnPrefilled(sequence.PromptLength, sequence.CachedTokens);
            }

            for (int i = 0; i < sequence.DecidedCount && end is null; i++)
                end = HandOver(sequence, i);
        }
        catch (Exception exception)
        {
            LogSinkFault(_logger, exception);
            end = GenerationEnd.Fault;
        }

        // Rows of right guesses are written already; those of wrong ones are overwritten.
        sequence.Computed = Math.Min(known + sequence.GuessesRight, sequence.Count);
        if (end is { } reason)
            End(sequence, reason, keepRows: true);
    }

    /// <summary>Gives one token to the sink; returns why the generation ends with it, or null.</summary>
    private GenerationEnd? HandOver(Sequence sequence, int index)
    {
        if (sequence.CancelRequested)
            return GenerationEnd.Cancelled;
        int token = sequence.Decided[index];
        sequence.Append(token);
        _generatedTokens++;
        if (sequence.Generated > TenantRing.PrepaidAnswer)
            TenantRing.Charge(sequence.Tenant!, 1);
        if (sequence.Request.TopLogProbs is { } top)
        {
            ReadOnlySpan<TokenLogProb> entry = sequence.LogProbs.AsSpan(index * (top + 1), top + 1);
            ((ILogProbSink)sequence.Request.Sink).OnLogProbs(entry[0], entry[1..]);
        }

        bool more = sequence.Request.Sink.OnToken(token);
        if (sequence.Request.StopTokens.Contains(token))
            return GenerationEnd.StopToken;
        if (!more)
            return GenerationEnd.SinkSatisfied;
        if (sequence.Generated >= sequence.Request.MaxTokens)
            return GenerationEnd.MaxTokens;
        return sequence.Count >= sequence.Limit ? GenerationEnd.ContextFull : null;
    }
}
