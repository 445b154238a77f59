using System.Text.Json;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Inference.Remote;
using Glimmer.Inference.Tests.Relay;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Backends;

/// <summary>A connection that the other end closes while a request is on its way into it.</summary>
public sealed class ClosedConnectionTests
{
    [Fact]
    public async Task An_engine_that_closed_a_kept_connection_is_asked_again()
    {
        await using FakeUpstream upstream = Closing(static number => number % 2 == 0);
        using EngineTransport transport = new(RelayCases.Define(upstream.Address, BackendKind.LlamaServer));
        for (int i = 0; i < 4; i++)
        {
            using JsonDocument? answer = await transport.FindJsonAsync("/x", static json => Write(json), default);
            Assert.True(answer!.RootElement.GetProperty("ok").GetBoolean());
        }

        Assert.Equal(7, upstream.Requests.Count);
        Assert.All(upstream.Requests, static request => Assert.Equal("""{"a":1}""", request.Body));
    }

    [Fact]
    public async Task A_service_that_closed_a_kept_connection_is_asked_again()
    {
        await using FakeUpstream upstream = Closing(static number => number % 2 == 0);
        using Upstream service = new(RelayCases.Define(upstream.Address));
        for (int i = 0; i < 4; i++)
        {
            using HttpResponseMessage response = await service.SendAsync(service.For("x"), "{}"u8.ToArray(), "application/json", default);
            Assert.Equal("""{"ok":true}""", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }

        Assert.Equal(7, upstream.Requests.Count);
    }

    [Fact]
    public async Task One_that_closes_every_connection_is_given_up()
    {
        await using FakeUpstream upstream = Closing(static _ => true);
        using EngineTransport transport = new(RelayCases.Define(upstream.Address, BackendKind.LlamaServer));
        await Assert.ThrowsAsync<EngineException>(() => transport.FindJsonAsync("/x", static json => Write(json), default));
        Assert.InRange(upstream.Requests.Count, 1, 3);
    }

    [Fact]
    public async Task What_has_begun_to_be_answered_is_not_asked_again()
    {
        await using FakeUpstream upstream = FakeUpstream.Start(static async exchange =>
        {
            await exchange.BeginStreamAsync();
            exchange.Abort();
        });
        using EngineTransport transport = new(RelayCases.Define(upstream.Address, BackendKind.LlamaServer));
        await Assert.ThrowsAsync<EngineException>(() => transport.FindJsonAsync("/x", static json => Write(json), default));
        Assert.Single(upstream.Requests);
    }

    private static FakeUpstream Closing(Func<int, bool> closes)
    {
        int number = 0;
        return FakeUpstream.Start(exchange =>
        {
            if (!closes(Interlocked.Increment(ref number)))
                return exchange.RespondAsync(200, """{"ok":true}""");
            exchange.Abort();
            return Task.CompletedTask;
        });
    }

    private static void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("a", 1);
        json.WriteEndObject();
    }
}
