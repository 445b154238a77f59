using System.Text.Json;
using System.Threading.Channels;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Responses;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Nodes;

/// <summary>A background response that one of two servers makes and the other streams.</summary>
public sealed class SharedStreamTests : IDisposable
{
    private readonly PostgresCluster _postgres = PostgresCluster.Start();

    public SharedStreamTests()
    {
        if (_postgres.Missing is { } reason)
            Assert.Skip(reason);
    }

    public void Dispose() => _postgres.Dispose();

    [Fact]
    public async Task Another_server_streams_what_one_makes_and_goes_on_when_that_one_stops()
    {
        var gate = Channel.CreateUnbounded<int>();
        var opened = new TaskCompletionSource();
        await using var servers = await TwoServers.StartAsync(_postgres, _ => ChatScript.Of("one ", "two ", "three ", "four") with { Gate = gate.Reader }, _ => ChatScript.Of("made anew") with { Opened = opened.Task });
        await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
        using StreamReading own = await servers.BeginAsync("one ");
        using StreamReading other = await StreamReading.ResumeAsync(servers.Client, servers.Id, null);
        await other.UntilSaidAsync("one ");
        await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
        await own.UntilSaidAsync("two ");
        await other.UntilSaidAsync("two ");
        Assert.Equal(own.Events, other.Events);
        Assert.Equal(0, servers.Backend.Requests);

        // The first one goes: its task is given back, and the second one makes the response from its beginning.
        await servers.First.Server.StopAsync(TestContext.Current.CancellationToken);
        await ServerHarness.UntilAsync(() => servers.Backend.Active == 1);
        opened.SetResult();
        int before = other.Events.Count;
        await other.ToEndAsync();
        List<JsonElement> all = [.. other.Events.Select(one => JsonDocument.Parse(one).RootElement)];
        int[] numbers = [.. all.Select(one => one.GetProperty("sequence_number").GetInt32())];
        Assert.Equal(numbers.Order().Distinct(), numbers);
        int again = all.FindIndex(before, one => one.GetProperty("type").GetString() == "response.in_progress");
        Assert.Equal("made anew", string.Concat(all.Skip(again).Select(one => one.TryGetProperty("delta", out JsonElement delta) ? delta.GetString() : "")));
        Assert.Equal("response.completed", all[^1].GetProperty("type").GetString());

        // Who knows a number of the first run finds the second one, and nothing of it is left in the store but the response.
        using StreamReading late = await StreamReading.ResumeAsync(servers.Client, servers.Id, numbers[before - 1]);
        Assert.Equal(other.Events.Skip(again), await late.ToEndAsync());
        Assert.Equal((0L, 1L), (Count("response_events"), Count("responses")));
    }

    [Fact]
    public async Task What_another_server_cancels_ends_on_both()
    {
        await using var servers = await TwoServers.StartAsync(_postgres, static _ => ChatScript.Of("partly") with { HangAtEnd = true }, static _ => ChatScript.Of("never"));
        using StreamReading own = await servers.BeginAsync("partly");
        using StreamReading other = await StreamReading.ResumeAsync(servers.Client, servers.Id, null);
        await other.UntilSaidAsync("partly");
        using HttpResponseMessage cancelled = await servers.Client.PostAsync(new Uri($"/v1/responses/{servers.Id}/cancel", UriKind.Relative), null, TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)cancelled.StatusCode);
        Assert.Equal(await own.ToEndAsync(), await other.ToEndAsync());
        JsonElement last = JsonDocument.Parse(own.Events[^1]).RootElement;
        Assert.Equal(("response.failed", "cancelled"), (last.GetProperty("type").GetString(), last.GetProperty("response").GetProperty("status").GetString()));
        Assert.Equal((0L, 0), (Count("response_events"), servers.Backend.Requests));
    }

    private long Count(string table)
    {
        using var connection = new Npgsql.NpgsqlConnection(_postgres.ConnectionString);
        connection.Open();
        using var command = new Npgsql.NpgsqlCommand($"SELECT COUNT(*) FROM {table}", connection);
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>Two servers on one database: the first one makes a response, so that the second one has nothing to do but read.</summary>
    private sealed class TwoServers(ServerHarness first, string folder, PostgresCluster postgres, Func<Inference.ChatRequest, ChatScript> script) : IAsyncDisposable
    {
        private GlimmerServer? _second;

        public ServerHarness First => first;

        public ScriptedBackend Backend { get; } = new("glimmer-tiny") { Script = script };

        public HttpClient Client { get; private set; } = null!;

        public string Id { get; private set; } = "";

        public static async Task<TwoServers> StartAsync(PostgresCluster postgres, Func<Inference.ChatRequest, ChatScript> first, Func<Inference.ChatRequest, ChatScript> second)
        {
            ServerHarness harness = await ServerHarness.StartAsync(options => options with { StoreConnectionString = postgres.ConnectionString, DrainTime = TimeSpan.Zero });
            harness.Backend.Script = first;
            return new TwoServers(harness, Directory.CreateTempSubdirectory("glimmer-second-").FullName, postgres, second);
        }

        /// <summary>Begins a response on the first one, and starts the second one once a text has been said.</summary>
        public async Task<StreamReading> BeginAsync(string said)
        {
            StreamReading own = await StreamReading.BeginAsync(first, """{"model":"glm-4.7","input":"hi","background":true,"stream":true}""");
            await own.UntilSaidAsync(said);
            Id = JsonDocument.Parse(own.Events[0]).RootElement.GetProperty("response").GetProperty("id").GetString()!;
            File.Copy(Path.Combine(first.Folder, "protection.key"), Path.Combine(folder, "protection.key"));
            var slot = new ChatBackendSlot();
            slot.Fill([Backend], Backend);
            GlimmerOptions options = new() { Port = 0, DataFolder = folder, LogLevel = LogLevel.None, DrainTime = TimeSpan.Zero, StoreConnectionString = postgres.ConnectionString };
            _second = GlimmerServer.Create(options, slot);
            await _second.StartAsync(TestContext.Current.CancellationToken);
            Client = new HttpClient { BaseAddress = _second.Addresses[0], Timeout = TimeSpan.FromMinutes(2) };
            Client.DefaultRequestHeaders.Authorization = first.Client.DefaultRequestHeaders.Authorization;
            return own;
        }

        public async ValueTask DisposeAsync()
        {
            Client?.Dispose();
            if (_second is not null)
            {
                await _second.StopAsync(TestContext.Current.CancellationToken);
                await _second.DisposeAsync();
            }

            await first.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }
}
