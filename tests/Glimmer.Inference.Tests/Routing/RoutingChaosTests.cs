using System.Globalization;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Routing;

namespace Glimmer.Inference.Tests.Routing;

/// <summary>Backends that do everything wrong, at random: every request has one outcome, made of one backend's words, and the books close.</summary>
public sealed class RoutingChaosTests
{
    private static readonly int _requests = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), CultureInfo.InvariantCulture, out int asked) ? asked : 4000;

    [Theory]
    [InlineData(false, RoutingPolicy.Affinity)]
    [InlineData(true, RoutingPolicy.Affinity)]
    [InlineData(false, RoutingPolicy.Load)]
    public async Task Every_request_has_one_outcome_of_one_backend(bool hedged, RoutingPolicy policy)
    {
        RoutingOptions options = new()
        {
            Policy = policy,
            Probe = new ProbeOptions { Interval = TimeSpan.Zero },
            HedgeAfter = hedged ? TimeSpan.FromMilliseconds(2) : null,
            Wait = TimeSpan.FromMilliseconds(50),
            Eject = new EjectOptions { Time = TimeSpan.FromMilliseconds(20), LongestTime = TimeSpan.FromMilliseconds(100) },
        };
        await using FakePool pool = new(null, options, [.. Enumerable.Range(0, 5).Select(i => FakePool.Define($"b{i}", weight: i * 50, maxInFlight: 8 + i))]);
        foreach (FakeBackend backend in pool.Made)
        {
            Random random = new(backend.Name[1]);
            backend.Reply = request =>
            {
                lock (random)
                    return Misbehave(random, backend.Name, request);
            };
        }

        int answered = 0, cut = 0, refused = 0, left = 0;
        using CancellationTokenSource stop = new();
        Task meddling = MeddleAsync(pool, stop.Token);
        await Parallel.ForAsync(0, _requests, new ParallelOptions { MaxDegreeOfParallelism = 48 }, async (i, _) =>
        {
            Random random = new(i);
            using CancellationTokenSource leave = new();
            if (random.Next(10) == 0)
                leave.CancelAfter(random.Next(1, 6));
            string text = "";
            try
            {
                ChatStart start = await pool.Chat.StartAsync(FakePool.Ask($"request {i}"), leave.Token);
                if (start.Answer is not { } answer)
                {
                    Assert.NotNull(start.Error);
                    Interlocked.Increment(ref refused);
                    return;
                }

                await foreach (ChatEvent said in answer.ReadAsync(leave.Token))
                    text += said.Text;

                // One backend's words about this request, whole and in order, or their beginning where it was cut.
                string backend = ((IRoutedAnswer)answer).Backend;
                string whole = Words(backend, i);
                Assert.StartsWith(text, whole, StringComparison.Ordinal);
                switch (answer.Finish)
                {
                    case FinishReason.Stop:
                        Assert.Equal(whole, text);
                        Interlocked.Increment(ref answered);
                        break;
                    case FinishReason.BackendFault:
                        Assert.NotEqual(whole, text);
                        Interlocked.Increment(ref cut);
                        break;
                    default:
                        Assert.Equal(FinishReason.Cancelled, answer.Finish);
                        Assert.True(leave.IsCancellationRequested);
                        Interlocked.Increment(ref left);
                        break;
                }
            }
            catch (OperationCanceledException)
            {
                Assert.True(leave.IsCancellationRequested);
                Interlocked.Increment(ref left);
            }
            catch (IOException)
            {
                // What a backend threw after its first event, or the last one before it.
                Assert.True(text.Length == 0 || Enumerable.Range(0, 5).Any(b => Words($"b{b}", i).StartsWith(text, StringComparison.Ordinal)), text);
                Interlocked.Increment(ref cut);
            }
        });
        await stop.CancelAsync();
        await meddling;
        Assert.Equal(_requests, answered + cut + refused + left);
        Assert.InRange(answered, _requests / 3, _requests);
        await FakePool.UntilAsync(() => pool.Pool.List().All(backend => backend.InFlight == 0));
        Assert.All(pool.Made, backend => Assert.Equal(0, backend.Active));
        Assert.Equal(0, pool.Chat.Waiting);
        Assert.All(pool.Pool.List(), backend => Assert.InRange(backend.Answers + backend.Failures + backend.Busy, 0, backend.Requests));
        Assert.Equal(answered, pool.Pool.List().Sum(backend => backend.Answers));
    }

    private static FakeReply Misbehave(Random random, string name, ChatRequest request)
    {
        int number = int.Parse(((TextPart)request.Conversation.Messages[0].Content[0]).Text["request ".Length..], CultureInfo.InvariantCulture);
        string[] pieces = Words(name, number).Split('|');
        for (int i = 0; i < pieces.Length - 1; i++)
            pieces[i] += "|";
        return random.Next(14) switch
        {
            0 => FakeReply.Down(),
            1 => FakeReply.Busy(TimeSpan.FromMilliseconds(random.Next(1, 20))),
            2 => new FakeReply { Thrown = new IOException("no route") },
            3 => new FakeReply(pieces) { FailsAt = random.Next(pieces.Length) },
            4 => new FakeReply(pieces) { ThrowsAt = random.Next(pieces.Length) },
            5 => new FakeReply(pieces) { FailsAt = 0 },
            6 => new FakeReply(pieces) { Start = Task.Delay(random.Next(1, 10)) },
            7 => new FakeReply(pieces) { First = Task.Delay(random.Next(1, 10)) },
            8 => new FakeReply(pieces) { End = Task.Delay(random.Next(1, 5)) },
            9 => new FakeReply(pieces) { First = Task.Delay(random.Next(1, 10)), FailsAt = 0 },
            _ => new FakeReply(pieces),
        };
    }

    /// <summary>An operator who drains, weighs and replaces all the time.</summary>
    private static async Task MeddleAsync(FakePool pool, CancellationToken stop)
    {
        Random random = new(3);
        while (!stop.IsCancellationRequested)
        {
            string name = $"b{random.Next(5)}";
            switch (random.Next(3))
            {
                case 0:
                    pool.Pool.Drain(name, true);
                    await Task.Delay(2, CancellationToken.None);
                    pool.Pool.Drain(name, false);
                    break;
                case 1:
                    pool.Pool.SetWeight(name, random.Next(300));
                    break;
                default:
                    await Task.Delay(1, CancellationToken.None);
                    break;
            }
        }
    }

    private static string Words(string backend, int number) => $"{backend}|says|of|{number}|that|it|is|{number % 7}";
}
