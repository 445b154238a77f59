using System.Buffers;
using System.Runtime.InteropServices;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Rendering;

/// <summary>
/// Turns a written prompt into token ids. Text between two control tokens is encoded as one run, whatever pieces it was
/// written in, so that the ids are those of the reference's encoding of the whole text; and it is encoded as text only.
/// </summary>
internal static class PromptEncoder
{
    /// <summary>The token form.</summary>
    public static RenderedPrompt Encode(List<PromptSegment> segments, ITokenizer tokenizer, PromptCache? cache, OutputStart start)
    {
        List<int> ids = [];
        List<MediaSlot> media = [];
        char[] buffer = [];
        int first = 0;
        for (int i = 0; i <= segments.Count; i++)
        {
            int id = -1;
            if (i < segments.Count && !(segments[i].IsControl && tokenizer.TryGetAdded(segments[i].Text.Span, out id)))
                continue;
            EncodeRun(CollectionsMarshal.AsSpan(segments)[first..i], tokenizer, cache, ids, ref buffer);
            first = i + 1;
            if (i == segments.Count)
                break;
            if (segments[i].Media is { } part)
                media.Add(new(ids.Count, part));
            ids.Add(id);
        }

        if (buffer.Length > 0)
            ArrayPool<char>.Shared.Return(buffer);
        return new(ids.ToArray(), start, media);
    }

    /// <summary>The text form.</summary>
    public static string Text(List<PromptSegment> segments)
    {
        int length = 0;
        foreach (PromptSegment segment in segments)
            length += segment.Text.Length;
        return string.Create(length, segments, static (span, all) =>
        {
            foreach (PromptSegment segment in all)
            {
                segment.Text.Span.CopyTo(span);
                span = span[segment.Text.Length..];
            }
        });
    }

    /// <summary>
    /// What the model's first token belongs to, read off what follows the last <c>&lt;|assistant|&gt;</c>. Only control
    /// tokens count: a person who writes <c>&lt;/think&gt;</c> closes nothing.
    /// </summary>
    /// <param name="segments">The prompt.</param>
    /// <param name="reasons">Whether this generation reasons at all.</param>
    public static OutputStart StartOf(List<PromptSegment> segments, bool reasons)
    {
        bool said = false;
        for (int i = segments.Count - 1; i >= 0; i--)
        {
            ReadOnlySpan<char> text = segments[i].Text.Span;
            if (!segments[i].IsControl)
            {
                said |= !text.IsWhiteSpace();
                continue;
            }

            if (text.SequenceEqual(ControlTokens.ThinkEnd))
                return OutputStart.Content;
            if (text.SequenceEqual(ControlTokens.Think))
                return OutputStart.Reasoning;
            if (text.SequenceEqual(ControlTokens.Assistant))
                return said || !reasons ? OutputStart.Content : OutputStart.ThinkPending;
        }

        return reasons ? OutputStart.ThinkPending : OutputStart.Content;
    }

    private static void EncodeRun(ReadOnlySpan<PromptSegment> run, ITokenizer tokenizer, PromptCache? cache, List<int> ids, ref char[] buffer)
    {
        if (run.IsEmpty)
            return;
        ReadOnlySpan<char> text = run[0].Text.Span;
        if (run.Length > 1)
        {
            int length = 0;
            foreach (PromptSegment segment in run)
                length += segment.Text.Length;
            if (buffer.Length < length)
            {
                if (buffer.Length > 0)
                    ArrayPool<char>.Shared.Return(buffer);
                buffer = ArrayPool<char>.Shared.Rent(length);
            }

            Span<char> rest = buffer.AsSpan(0, length);
            foreach (PromptSegment segment in run)
            {
                segment.Text.Span.CopyTo(rest);
                rest = rest[segment.Text.Length..];
            }

            text = buffer.AsSpan(0, length);
        }

        if (cache is null)
            tokenizer.Encode(text, recogniseAdded: false, ids);
        else
            cache.Encode(text, tokenizer, ids);
    }
}
