using Glimmer.Inference.Embedded.Hosting;

namespace Glimmer.Inference.Tests.Embedded.Hosting;

/// <summary>Random use, one request after another against plain books, and many at once against what must always hold.</summary>
public sealed class ModelHostRandomTests
{
    private const long Memory = 12;
    private static readonly (string Code, long Bytes)[] Models = [("a", 3), ("b", 4), ("c", 5), ("d", 6), ("e", 13)];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Two_hundred_operations_end_as_plain_books_say(int seed)
    {
        Random random = new(seed);
        ManualTime time = new();
        FakeLoader loader = new(Models);
        await using ModelHost host = new(loader.Models, new ModelHostOptions { MemoryBytes = Memory, RetryAfter = TimeSpan.Zero }, loader, time: time);
        Books books = new();
        List<(string Code, FakeLoader.FakeAnswer Answer)> running = [];
        for (int i = 0; i < 200; i++)
        {
            string code = Models[random.Next(Models.Length)].Code;
            switch (random.Next(10))
            {
                case < 5:
                    bool expected = books.Ask(code);
                    Task<ChatStart> asked = host.AskAsync(code);
                    if (!expected && code != "e")
                    {
                        // A timer that waits may still be a former request's: time goes on until this one is refused.
                        await HostedCalls.UntilAsync(() =>
                        {
                            if (time.Waiting > 0)
                                time.Advance(TimeSpan.FromSeconds(30));
                            return asked.IsCompleted;
                        });
                    }

                    ChatStart start = await asked.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
                    Assert.Equal(expected, start.Answer is not null);
                    if (expected)
                        running.Add((code, (FakeLoader.FakeAnswer)start.Answer!));
                    break;
                case < 9 when running.Count > 0:
                    int which = random.Next(running.Count);
                    running[which].Answer.End();
                    books.End(running[which].Code);
                    running.RemoveAt(which);
                    break;
                case 9:
                    foreach ((string Code, FakeLoader.FakeAnswer Answer) own in running.Where(one => one.Code == code))
                        own.Answer.End();
                    running.RemoveAll(one => one.Code == code);
                    Assert.Equal(books.Unload(code), await host.UnloadAsync(code));
                    break;
            }

            Assert.Equal(books.State, string.Join(' ', host.Statistics.Models.Where(model => model.State == HostedModelState.Loaded).Select(model => $"{model.Code}{model.InFlight}")));
            Assert.Equal(books.Bytes, host.Statistics.UsedBytes);
        }

        Assert.InRange(loader.MostBytes, 1, Memory);
        Assert.True(books.Evictions > 5, "the sizes are meant to be short of room");
    }

    [Fact]
    public async Task Many_at_once_never_use_more_than_there_is_nor_a_closed_model()
    {
        FakeLoader loader = new(Models);
        ModelHost host = new(loader.Models, new ModelHostOptions { MemoryBytes = Memory, RetryAfter = TimeSpan.Zero, FileCheckInterval = TimeSpan.Zero, Patience = TimeSpan.FromHours(1) }, loader);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(() => WorkAsync(worker))));
        Assert.InRange(loader.MostBytes, 1, Memory);
        Assert.All(host.Statistics.Models, model => Assert.Equal(0, model.InFlight));
        await host.DisposeAsync();
        Assert.Equal(0, host.Statistics.UsedBytes);
        string[] log = loader.Log.Split(' ');
        Assert.Equal(log.Count(entry => entry[0] == '+'), log.Count(entry => entry[0] == '-'));

        async Task WorkAsync(int worker)
        {
            Random random = new(worker);
            for (int i = 0; i < 100; i++)
            {
                string code = Models[random.Next(4)].Code;
                if (random.Next(12) == 0)
                {
                    await host.UnloadAsync(code);
                    continue;
                }

                using CancellationTokenSource cancel = new();
                Task<ChatStart> asked = host.AskAsync(code, cancel.Token);
                if (random.Next(8) == 0)
                    await cancel.CancelAsync();
                try
                {
                    // Always served: nobody holds an answer while waiting for another model, so room comes.
                    FakeLoader.FakeAnswer answer = (FakeLoader.FakeAnswer)(await asked).Answer!;
                    await Task.Yield();
                    answer.End();
                }
                catch (OperationCanceledException)
                {
                    // It did not wait for the load.
                }
            }
        }
    }

    /// <summary>What a host must do, without threads.</summary>
    private sealed class Books
    {
        private readonly List<string> _byUse = [];
        private readonly Dictionary<string, int> _running = [];

        public int Evictions { get; private set; }

        public long Bytes => _byUse.Sum(BytesOf);

        public string State => string.Join(' ', _byUse.Order(StringComparer.Ordinal).Select(code => $"{code}{_running[code]}"));

        public bool Ask(string code)
        {
            if (!_byUse.Contains(code))
            {
                long idle = _byUse.Where(other => _running[other] == 0).Sum(BytesOf);
                if (BytesOf(code) > Memory - Bytes + idle)
                    return false;
                while (BytesOf(code) > Memory - Bytes)
                {
                    _byUse.Remove(_byUse.First(other => _running[other] == 0));
                    Evictions++;
                }

                _running[code] = 0;
            }

            Use(code);
            _running[code]++;
            return true;
        }

        public void End(string code)
        {
            _running[code]--;
            Use(code);
        }

        public bool Unload(string code) => _byUse.Remove(code);

        private void Use(string code)
        {
            _byUse.Remove(code);
            _byUse.Add(code);
        }

        private static long BytesOf(string code) => Models.First(model => model.Code == code).Bytes;
    }
}
