using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Answers;

/// <summary>Several answers to one request, generated side by side and read as one. Each event says which answer it belongs to.</summary>
internal sealed class ChoiceSet : IChatAnswer
{
    private readonly IChatAnswer[] _answers;

    private readonly int _choices;

    private ChoiceSet(IChatAnswer[] answers, int choices)
    {
        _answers = answers;
        _choices = choices;
    }

    /// <summary>The answers.</summary>
    public IReadOnlyList<IChatAnswer> Answers => _answers;

    /// <summary>How each ended; valid at the end.</summary>
    public IReadOnlyList<AnswerEnd> Ends => [.. _answers.Select(static answer => new AnswerEnd(answer.Finish, answer.StopText, answer.Usage))];

    /// <summary>The end of the worst: when one was cut off, all are incomplete.</summary>
    public FinishReason Finish =>
        Array.Exists(_answers, static answer => answer.Finish == FinishReason.BackendFault) ? FinishReason.BackendFault
        : Array.Exists(_answers, static answer => answer.Finish == FinishReason.Cancelled) ? FinishReason.Cancelled
        : _answers[0].Finish;

    /// <inheritdoc/>
    public PlatformError? Error => Array.Find(_answers, static answer => answer.Finish == FinishReason.BackendFault)?.Error;

    /// <summary>Each prompt once, what was generated of all.</summary>
    public ChatUsage Usage
    {
        get
        {
            ChatUsage all = _answers[0].Usage;
            for (int i = 1; i < _answers.Length; i++)
            {
                ChatUsage one = _answers[i].Usage;
                bool other = i % _choices == 0;
                all = all with
                {
                    PromptTokens = all.PromptTokens + (other ? one.PromptTokens : 0),
                    CachedTokens = all.CachedTokens + (other ? one.CachedTokens : 0),
                    CompletionTokens = all.CompletionTokens + one.CompletionTokens,
                    ReasoningTokens = all.ReasoningTokens + one.ReasoningTokens,
                };
            }

            return all;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<Relaxation> Relaxations => _answers[0].Relaxations;

    /// <inheritdoc/>
    public int CountRepairs(Repairs kind) => _answers.Sum(answer => answer.CountRepairs(kind));

    /// <summary>Begins a number of answers. With a seed each has its own, counted from it; when one cannot begin, none does.</summary>
    public static ValueTask<ChatStart> StartAsync(IChatBackend backend, ChatCall call, CancellationToken cancel) =>
        StartAsync(backend, call.Prompts.Count > 0 ? call.Prompts : [call.Request], call.Choices, cancel);

    /// <summary>Begins a number of answers to each of some prompts.</summary>
    public static async ValueTask<ChatStart> StartAsync(IChatBackend backend, IReadOnlyList<ChatRequest> prompts, int choices, CancellationToken cancel)
    {
        int count = prompts.Count * choices;
        if (count == 1)
            return await backend.StartAsync(prompts[0], cancel);
        var answers = new List<IChatAnswer>(count);
        ChatStart start = default;
        try
        {
            for (int i = 0; i < count; i++)
            {
                ChatRequest request = prompts[i / choices];
                ChatRequest one = request.Sampling.Seed is { } seed ? request with { Sampling = request.Sampling with { Seed = unchecked(seed + (ulong)(i % choices)) } } : request;
                start = await backend.StartAsync(one, cancel);
                if (start.Answer is not { } answer)
                    break;
                answers.Add(answer);
            }
        }
        finally
        {
            if (answers.Count < count)
                await EndAsync(answers);
        }

        return answers.Count == count ? new ChatStart(new ChoiceSet([.. answers], choices), null) : start;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var events = Channel.CreateUnbounded<ChatEvent>(new UnboundedChannelOptions { SingleReader = true });
        Task all = Task.WhenAll(_answers.Select((answer, index) => Task.Run(() => PumpAsync(answer, index, events.Writer, ended), CancellationToken.None)));
        _ = all.ContinueWith(
            static (done, writer) => ((ChannelWriter<ChatEvent>)writer!).TryComplete(), events.Writer, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        try
        {
            await foreach (ChatEvent said in events.Reader.ReadAllAsync(CancellationToken.None))
                yield return said;
        }
        finally
        {
            await ended.CancelAsync();
            await all;
        }
    }

    private static async Task PumpAsync(IChatAnswer answer, int index, ChannelWriter<ChatEvent> writer, CancellationTokenSource ended)
    {
        try
        {
            await foreach (ChatEvent said in answer.ReadAsync(ended.Token))
                await writer.WriteAsync(said with { Choice = index }, CancellationToken.None);
        }
        catch
        {
            // One that fails ends all.
            await ended.CancelAsync();
            throw;
        }
    }

    /// <summary>Ends answers that nobody will read.</summary>
    private static async Task EndAsync(List<IChatAnswer> answers)
    {
        foreach (IChatAnswer answer in answers)
        {
            try
            {
                await foreach (ChatEvent _ in answer.ReadAsync(new CancellationToken(canceled: true)))
                {
                    // What was made before it saw the cancellation.
                }
            }
            catch (OperationCanceledException)
            {
                // That is what was asked.
            }
        }
    }
}
