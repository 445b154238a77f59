using System.Runtime.CompilerServices;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Relay.Errors;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>An answer that a service is giving.</summary>
/// <param name="owner">Whose answer it is; hears how it ended.</param>
/// <param name="request">What was asked.</param>
/// <param name="requestId">Id of the request at the service, for the log.</param>
/// <param name="response">The response, whose body is still to come.</param>
/// <param name="reader">Reads it.</param>
/// <param name="watch">Ends it when it stalls.</param>
internal sealed class RelayAnswer(RelayChatBackend owner, ChatRequest request, string requestId, HttpResponseMessage response, AnswerReader reader, AnswerWatch watch) : IChatAnswer
{
    private const long MaxStreamBytes = 4L << 30;
    private readonly List<ChatEvent> _events = [];
    private FinishReason _finish = FinishReason.Cancelled;
    private PlatformError? _error;
    private Stream? _body;
    private EventFrames? _frames;
    private long _received;
    private int _readers;
    private int? _estimatedPrompt;
    private int? _promptBound;

    /// <inheritdoc/>
    public FinishReason Finish => _finish;

    /// <inheritdoc/>
    public string? StopText => _finish == FinishReason.Stop ? reader.StopText : null;

    /// <inheritdoc/>
    public PlatformError? Error => _error;

    /// <summary>Whether the service has not counted tokens, so that <see cref="Usage"/> is an estimate, as it also is before the end.</summary>
    public bool IsEstimated => reader.Usage is not { Prompt: > 0, Completion: not null };

    /// <inheritdoc/>
    public ChatUsage Usage
    {
        get
        {
            ref readonly UsageTally said = ref reader.Usage;
            int prompt = said.Prompt is > 0 and var counted ? Math.Min(counted, PromptBound(counted)) : _estimatedPrompt ??= TokenEstimate.OfPrompt(request);

            // Before the end some services have said that one token was made, whatever was.
            int completion = said.Completion is { } all && all > (reader.Finish is null ? 1 : -1) ? Math.Min(all, AnswerBound) : TokenEstimate.OfBytes(reader.ReasoningBytes + reader.AnswerBytes);
            return new ChatUsage(prompt, Math.Min(said.Cached ?? 0, prompt), completion, Math.Min(said.Reasoning ?? ReasoningShare(completion), completion));
        }
    }

    private int AnswerBound => UsageBound.OfAnswer(request, reader.ReasoningBytes + reader.AnswerBytes, owner.ContextOf(request));

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
            throw new InvalidOperationException("An answer can be read once.");
        CancellationTokenRegistration left = cancel.UnsafeRegister(static watch => ((AnswerWatch)watch!).End(WatchCause.Cancelled), watch);
        try
        {
            bool more = true;
            while (more)
            {
                _events.Clear();
                more = await ReadMoreAsync();
                for (int i = 0; i < _events.Count; i++)
                    yield return _events[i];
            }
        }
        finally
        {
            await left.DisposeAsync();
            Close();
        }
    }

    /// <summary>Reads the next bytes and the events in them.</summary>
    /// <returns>Whether more come.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> ReadMoreAsync()
    {
        try
        {
            watch.Token.ThrowIfCancellationRequested();
            _body ??= await response.Content.ReadAsStreamAsync(watch.Token);
            _frames ??= new EventFrames();
            int read = await _body.ReadAsync(_frames.Room, watch.Token);
            return Take(read);
        }
        catch (Exception fault) when (watch.Cause != WatchCause.None && fault is OperationCanceledException or IOException or HttpRequestException or ObjectDisposedException)
        {
            if (watch.Cause == WatchCause.Cancelled)
                _finish = FinishReason.Cancelled;
            else
                Fail(watch.Cause == WatchCause.NoBeginning ? "no token came in time" : "it fell silent");
        }
        catch (UpstreamFaultException fault)
        {
            Fail(fault.Message);
        }
        catch (JsonException)
        {
            Fail("it sent an event that is not JSON");
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException or ObjectDisposedException or OperationCanceledException)
        {
            Fail("the connection broke");
        }

        return false;
    }

    private bool Take(int read)
    {
        EventFrames frames = _frames!;
        frames.Advance(read);
        _received += read;
        if (_received > MaxStreamBytes)
            throw new UpstreamFaultException($"it sent more than {MaxStreamBytes} bytes");
        ReadOnlySpan<byte> data;
        while (read > 0 ? frames.TryRead(out data) : frames.TryReadLast(out data))
        {
            reader.Read(data, _events);
            if (reader.Error is { } said)
            {
                Fail(said);
                return false;
            }

            if (reader.IsOver)
            {
                _finish = reader.Finish!.Value;
                return false;
            }
        }

        if (read == 0)
            throw new UpstreamFaultException("the stream ended in the middle");
        watch.Note(_events.Count > 0);
        return true;
    }

    private void Fail(string reason)
    {
        _finish = FinishReason.BackendFault;
        _error = RelayErrors.Failed(request.Model, "the answer was cut off, because the service behind it failed");
        owner.NoteBroken(request, requestId, reason);
    }

    private void Fail(in UpstreamError said)
    {
        MappedError mapped = RelayErrors.Map(said, request.Model, owner.Secrets);
        _finish = FinishReason.BackendFault;
        _error = mapped.Error;
        owner.NoteRefusal(request, requestId, said, mapped);
    }

    private void Close()
    {
        watch.Dispose();
        response.Dispose();
        _frames?.Dispose();
        reader.Dispose();
        bool complete = _finish is not (FinishReason.BackendFault or FinishReason.Cancelled);
        if (complete)
            owner.NoteSuccess();
        if (IsEstimated && (complete || reader.ReasoningBytes + reader.AnswerBytes > 0))
            owner.NoteEstimate(request, requestId, Usage, complete);
        if (reader.Usage.Prompt > Usage.PromptTokens || (reader.Usage.Completion ?? 0) > AnswerBound)
            owner.NoteBounded(request, requestId, reader.Usage, Usage);
    }

    // The prompt is measured only for counts that are worth it.
    private int PromptBound(int counted) => counted <= UsageBound.Always ? counted : _promptBound ??= UsageBound.OfPrompt(request, owner.ContextOf(request));

    /// <summary>The share of the reasoning in what was said, for services that don't count it by itself.</summary>
    private int ReasoningShare(int completion)
    {
        long all = reader.ReasoningBytes + reader.AnswerBytes;
        return all == 0 ? 0 : (int)(completion * reader.ReasoningBytes / all);
    }
}
