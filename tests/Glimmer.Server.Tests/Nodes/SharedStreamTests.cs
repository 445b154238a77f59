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
        string folder = Directory.CreateTempSubdirectory("glimmer-second-").FullName;
        ServerHarness first = await ServerHarness.StartAsync(options => options with { StoreConnectionString = _postgres.ConnectionString, DrainTime = TimeSpan.Zero });
        try
        {
            first.Backend.Script = _ => ChatScript.Of("one ", "two ", "three ", "four") with { Gate = gate.Reader };
            using StreamReading own = await StreamReading.BeginAsync(first, """{"model":"glm-4.7","input":"hi","background":true,"stream":true}""");
            await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
            await own.UntilSaidAsync("one ");
            string id = JsonDocument.Parse(own.Events[0]).RootElement.GetProperty("response").GetProperty("id").GetString()!;

            // The first one makes it, so the second one has nothing to do but read.
            File.Copy(Path.Combine(first.Folder, "protection.key"), Path.Combine(folder, "protection.key"));
            var backend = new ScriptedBackend("glimmer-tiny") { Script = _ => ChatScript.Of("made anew") with { Opened = opened.Task } };
            var slot = new ChatBackendSlot();
            slot.Fill([backend], backend);
            GlimmerOptions options = new() { Port = 0, DataFolder = folder, LogLevel = LogLevel.None, DrainTime = TimeSpan.Zero, StoreConnectionString = _postgres.ConnectionString };
            await using GlimmerServer second = GlimmerServer.Create(options, slot);
            await second.StartAsync(TestContext.Current.CancellationToken);
            using var client = new HttpClient { BaseAddress = second.Addresses[0], Timeout = TimeSpan.FromMinutes(2) };
            client.DefaultRequestHeaders.Authorization = first.Client.DefaultRequestHeaders.Authorization;
            using StreamReading other = await StreamReading.ResumeAsync(client, id, null);
            await other.UntilSaidAsync("one ");
            await gate.Writer.WriteAsync(1, TestContext.Current.CancellationToken);
            await own.UntilSaidAsync("two ");
            await other.UntilSaidAsync("two ");
            Assert.Equal(own.Events, other.Events);
            Assert.Equal(0, backend.Requests);

            // The first one goes: its task is given back, and the second one makes the response from its beginning.
            await first.Server.StopAsync(TestContext.Current.CancellationToken);
            await ServerHarness.UntilAsync(() => backend.Active == 1);
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
            using StreamReading late = await StreamReading.ResumeAsync(client, id, numbers[before - 1]);
            Assert.Equal(other.Events.Skip(again), await late.ToEndAsync());
            Assert.Equal(0L, Count("response_events"));
            Assert.Equal(1L, Count("responses"));
            await second.StopAsync(TestContext.Current.CancellationToken);
        }
        finally
        {
            await first.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private long Count(string table)
    {
        using var connection = new Npgsql.NpgsqlConnection(_postgres.ConnectionString);
        connection.Open();
        using var command = new Npgsql.NpgsqlCommand($"SELECT COUNT(*) FROM {table}", connection);
        return (long)command.ExecuteScalar()!;
    }
}
