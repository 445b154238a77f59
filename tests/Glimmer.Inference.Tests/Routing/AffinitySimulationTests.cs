using System.Globalization;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Routing;

namespace Glimmer.Inference.Tests.Routing;

/// <summary>
/// Many conversations of several turns over four backends with a prefix cache each, and the same requests in the same order over one node with a
/// cache of the same size altogether: how much of the prompts each finds in its cache.
/// </summary>
public sealed class AffinitySimulationTests(ITestOutputHelper output)
{
    private const int Backends = 4;
    private const int Conversations = 300;

    [Theory]
    [InlineData(4, 12_000)]
    [InlineData(32, 12_000)]
    [InlineData(32, 3_000)]
    [InlineData(128, 12_000)]
    public async Task Four_caches_give_nine_tenths_of_what_one_gives(int concurrency, int blocks)
    {
        (double four, double one, double worst) = await RunAsync(RoutingPolicy.Affinity, concurrency, blocks, null);
        (double blind, _, _) = await RunAsync(RoutingPolicy.Load, concurrency, blocks, null);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{concurrency} at once, caches of {blocks} blocks: one node {one:P1} of prompt tokens cached; four by affinity {four:P1} ({four / one:P1} of it), four by load alone {blind:P1} ({blind / one:P1}); busiest backend {worst:0.00} of its share"));
        Assert.InRange(four / one, 0.9, 1.01);
        Assert.True(blind < four);

        // Affinity must not be bought with one backend that does it all.
        Assert.InRange(worst, 1, 1.6);
    }

    [Fact]
    public async Task A_backend_that_goes_and_comes_back_costs_its_own_conversations_only()
    {
        (double four, double one, _) = await RunAsync(RoutingPolicy.Affinity, 32, 12_000, (step, pool) =>
        {
            if (step == 500)
                pool.Drain("b2", true);
            else if (step == 1000)
                pool.Drain("b2", false);
        });
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"with one of four away for a while: {four / one:P1} of one node's share"));
        Assert.InRange(four / one, 0.85, 1.01);
    }

    private static async Task<(double Four, double One, double Worst)> RunAsync(RoutingPolicy policy, int concurrency, int blocks, Action<int, BackendPool>? happens)
    {
        RoutingOptions options = new() { Policy = policy, Probe = new ProbeOptions { Interval = TimeSpan.Zero }, Wait = TimeSpan.Zero };
        await using FakePool pool = new(null, options, [.. Enumerable.Range(0, Backends).Select(i => FakePool.Define($"b{i}"))]);
        PrefixCache single = new(blocks * Backends);
        foreach (FakeBackend backend in pool.Made)
        {
            PrefixCache cache = new(blocks);
            backend.Reply = request =>
            {
                cache.Serve(request.Conversation);
                single.Serve(request.Conversation);
                return new FakeReply("a", "b");
            };
            backend.Cache = cache;
        }

        // Requests stay in flight between their first event and a later step, so that loads are felt.
        Random random = new(11);
        string[] systems = [.. Enumerable.Range(0, 12).Select(i => Words(random, $"system {i}", 200 + (i * 150)))];
        List<ChatMessage>[] conversations = [.. Enumerable.Range(0, Conversations).Select(i => new List<ChatMessage> { ChatMessage.OfText(ChatRole.System, systems[random.Next(systems.Length)]) })];
        int[] turns = [.. Enumerable.Range(0, Conversations).Select(_ => random.Next(2, 12))];
        List<int> idle = [.. Enumerable.Range(0, Conversations)];
        List<(int Conversation, IAsyncEnumerator<ChatEvent> Answer)> running = [];
        int started = 0;
        while (idle.Count + running.Count > 0)
        {
            if (running.Count < concurrency && idle.Count > 0 && (running.Count == 0 || random.Next(2) == 0))
            {
                happens?.Invoke(++started, pool.Pool);
                int at = random.Next(Math.Min(idle.Count, 3 * concurrency));
                int conversation = idle[at];
                idle.RemoveAt(at);
                conversations[conversation].Add(ChatMessage.OfText(ChatRole.User, Words(random, $"question {conversation}", random.Next(10, 120))));
                ChatStart start = await pool.Chat.StartAsync(FakePool.Ask() with { Conversation = new Conversation([.. conversations[conversation]], [], new RenderOptions()) }, default);
                Assert.Null(start.Error);
                IAsyncEnumerator<ChatEvent> answer = start.Answer!.ReadAsync(default).GetAsyncEnumerator();
                Assert.True(await answer.MoveNextAsync());
                running.Add((conversation, answer));
            }
            else
            {
                int at = random.Next(running.Count);
                (int conversation, IAsyncEnumerator<ChatEvent> answer) = running[at];
                running.RemoveAt(at);
                while (await answer.MoveNextAsync())
                {
                    // To its end.
                }

                await answer.DisposeAsync();
                conversations[conversation].Add(ChatMessage.OfText(ChatRole.Assistant, Words(random, $"answer {conversation}", random.Next(20, 200))));
                if (--turns[conversation] > 0)
                    idle.Insert(0, conversation);
            }
        }

        PrefixCache[] caches = [.. pool.Made.Select(backend => backend.Cache!)];
        double share = caches.Sum(cache => cache.Cached) / (double)caches.Sum(cache => cache.Asked);
        long[] served = [.. pool.Made.Select(backend => pool.Status(backend.Name).Requests)];
        return (share, single.Cached / (double)single.Asked, served.Max() / served.Average());
    }

    private static string Words(Random random, string first, int count) => first + string.Concat(Enumerable.Range(0, count).Select(_ => $" w{random.Next(5000)}"));
}

/// <summary>A prefix cache of blocks of 64 characters (some sixteen tokens) that forgets what was not used for longest.</summary>
internal sealed class PrefixCache(int blocks)
{
    private const int Block = 64;
    private readonly LinkedList<int> _order = [];
    private readonly Dictionary<(int Parent, string Text), LinkedListNode<int>> _nodes = [];
    private readonly Dictionary<int, (int Parent, string Text)> _keys = [];
    private int _last;

    public long Asked { get; private set; }

    public long Cached { get; private set; }

    public void Serve(Conversation conversation)
    {
        string prompt = string.Concat(conversation.Messages.Select(message => $"<{message.Role}>{((TextPart)message.Content[0]).Text}"));
        Asked += prompt.Length;
        int parent = 0;
        bool known = true;
        for (int at = 0; at + Block <= prompt.Length; at += Block)
        {
            (int Parent, string Text) key = (parent, prompt.Substring(at, Block));
            if (_nodes.TryGetValue(key, out LinkedListNode<int>? node))
            {
                _order.Remove(node);
                if (known)
                    Cached += Block;
            }
            else
            {
                known = false;
                node = new LinkedListNode<int>(++_last);
                _nodes.Add(key, node);
                _keys.Add(node.Value, key);
            }

            _order.AddLast(node);
            parent = node.Value;
        }

        while (_order.Count > blocks)
        {
            int oldest = _order.First!.Value;
            _order.RemoveFirst();
            _nodes.Remove(_keys[oldest]);
            _keys.Remove(oldest);
        }
    }
}
