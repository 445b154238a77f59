using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Glimmer.Client;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.Chat;
using Glimmer.Server.Models;
using Glimmer.Server.Routing;
using Glimmer.Server.Transport;

namespace Glimmer.Server.InProcess;

/// <summary>
/// A backend as the client library's chat, without a server: no socket, key, queue or ledger. Requests are read, checked and
/// mapped, and answers written, by what serves the native base, so the results are those of HTTP.
/// </summary>
public sealed class InProcessChat : IGlimmerChat
{
    private readonly ModelOffers _offers;
    private readonly TimeProvider _time;
    private readonly bool _preserveThinking;

    /// <summary>A chat with backends.</summary>
    /// <param name="backends">Who answers.</param>
    /// <param name="catalogue">Limits and defaults of models; null for the built-in catalogue.</param>
    /// <param name="preserveThinking">Whether reasoning of earlier turns stays where the request does not say, as on the coding base.</param>
    /// <param name="time">Clock of the answers' times; null for the system's.</param>
    public InProcessChat(IChatBackendProvider backends, Catalogue? catalogue = null, bool preserveThinking = false, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(backends);
        _offers = new ModelOffers(new CatalogueSource(catalogue ?? Catalogue.Load()), backends);
        _time = time ?? TimeProvider.System;
        _preserveThinking = preserveThinking;
    }

    /// <summary>A chat with one backend, which stays the caller's.</summary>
    /// <param name="backend">Who answers.</param>
    public InProcessChat(IChatBackend backend)
        : this(SlotOf(backend))
    {
    }

    /// <inheritdoc/>
    public async Task<Completion> CompleteAsync(CompletionRequest request, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        cancel.ThrowIfCancellationRequested();
        Call call = Read(request with { Stream = false });
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        await using AnswerEvents events = await StartAsync(call, ended).ConfigureAwait(false);
        var messages = new MessageBuilder[call.Choices];
        for (int i = 0; i < messages.Length; i++)
            messages[i] = new MessageBuilder();
        while (await events.MoveNextAsync().ConfigureAwait(false))
        {
            if (events.Current.Kind != ChatEventKind.Reasoning || call.Dialect.ShowsReasoning)
                messages[events.Current.Choice].Add(events.Current);
        }

        ThrowIfFailed(call, events, cancel);
        var body = new ArrayBufferWriter<byte>(1024);
        call.Dialect.WriteWhole(body, messages, events.End);
        return Completion.Parse(body.WrittenSpan);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<CompletionChunk> StreamAsync(CompletionRequest request, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        cancel.ThrowIfCancellationRequested();
        Call call = Read(request with { Stream = true });
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        await using AnswerEvents events = await StartAsync(call, ended).ConfigureAwait(false);
        using var bytes = new MemoryStream();
        PipeWriter pipe = PipeWriter.Create(bytes, new StreamPipeWriterOptions(leaveOpen: true));
        using var output = new SseWriter(pipe);
        IStreamedAnswer answer = call.Dialect.Stream(output);
        var decoder = new SseDecoder();
        bool begun = false, any = true;
        while (any)
        {
            any = await events.MoveNextAsync().ConfigureAwait(false);
            cancel.ThrowIfCancellationRequested();
            if (!begun)
            {
                // A fault before the first event is an error, as over HTTP; after it the finish reason tells.
                if (!any)
                    ThrowIfFailed(call, events, cancel);
                begun = true;
                answer.Begin(events.Usage);
            }

            if (any)
                answer.Write(events.Current);
            else
                answer.End(events.End);
            if (!output.HasUnflushed)
                continue;
            await output.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            decoder.Append(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
            bytes.SetLength(0);
            while (decoder.TryRead(out SseEvent said))
            {
                if (!said.IsDone)
                    yield return CompletionChunk.Parse(said.Data);
            }
        }
    }

    /// <summary>Reads a request as the server reads its body.</summary>
    private Call Read(CompletionRequest request)
    {
        string id = RequestIds.NewRequestId(_time.GetUtcNow());
        (JsonBody? body, PlatformError? error) = JsonBody.Parse(request.ToUtf8Json());
        using (body)
        {
            if (body is null)
                throw GlimmerException.Of(error!, id);
            (ChatCompletionRequest? wire, error) = ChatRequestReader.Read(body.Root);
            if (wire is null)
                throw GlimmerException.Of(error!, id);
            (ModelOffer? found, error) = _offers.FindChat(wire.Model, "model");
            if (found is not { } offer || error is not null)
                throw GlimmerException.Of(error!, id);
            (ChatRequest? mapped, error) = ChatRequestMapper.Map(wire, offer, _preserveThinking, tenant: "");
            if (mapped is null)
                throw GlimmerException.Of(error!, id);
            var head = new CompletionHead(id, wire.RequestId ?? id, _time.GetUtcNow().ToUnixTimeSeconds(), offer.Model.Code);
            bool showReasoning = mapped.Conversation.Options.EnableThinking != false;
            return new Call(id, offer.Route.Backend, mapped, wire.Choices, new NativeAnswer(head, wire.ToolStream && offer.Model.ToolStream, showReasoning, wire.Choices));
        }
    }

    private async Task<AnswerEvents> StartAsync(Call call, CancellationTokenSource ended)
    {
        ChatStart start;
        try
        {
            start = await ChoiceSet.StartAsync(call.Backend, [call.Request], call.Choices, ended.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (!ended.IsCancellationRequested)
        {
            throw Failed(call, fault, PlatformError.Of(BusinessCode.Network, call.Id));
        }

        if (start.Answer is not { } answer)
            throw GlimmerException.Of(start.Error!, call.Id);
        return new AnswerEvents(answer, new RequestRecord { Id = call.Id, Started = _time.GetTimestamp() }, _time, ended);
    }

    private static void ThrowIfFailed(Call call, AnswerEvents events, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (events.Finish is FinishReason.BackendFault or FinishReason.Cancelled)
            throw Failed(call, events.Fault, events.End.ErrorFor(call.Id));
    }

    private static GlimmerServerException Failed(Call call, Exception? fault, PlatformError error) =>
        new(error.Message, fault)
        {
            Code = (int)error.Code,
            Status = (System.Net.HttpStatusCode)error.Status,
            RequestId = call.Id,
        };

    private static ChatBackendSlot SlotOf(IChatBackend backend)
    {
        ArgumentNullException.ThrowIfNull(backend);
        var slot = new ChatBackendSlot();
        slot.Fill([backend], backend);
        return slot;
    }

    private sealed record Call(string Id, IChatBackend Backend, ChatRequest Request, int Choices, NativeAnswer Dialect);
}
