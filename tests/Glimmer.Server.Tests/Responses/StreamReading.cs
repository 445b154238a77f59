using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Responses;

/// <summary>A client that reads a stream of the Responses API, event by event.</summary>
internal sealed class StreamReading : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly IAsyncEnumerator<SseEvent> _events;

    private StreamReading(HttpResponseMessage response, Stream stream)
    {
        _response = response;
        _events = Eventually.EachAsync(SseReader.ReadAsync(stream)).GetAsyncEnumerator();
    }

    /// <summary>Events so far.</summary>
    public List<string> Events { get; } = [];

    public static Task<StreamReading> BeginAsync(ServerHarness harness, string body) =>
        OpenAsync(harness.Client, new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new StringContent(body, Encoding.UTF8, "application/json") });

    public static Task<StreamReading> ResumeAsync(ServerHarness harness, string id, int? after) => ResumeAsync(harness.Client, id, after);

    public static Task<StreamReading> ResumeAsync(HttpClient client, string id, int? after) =>
        OpenAsync(client, new HttpRequestMessage(HttpMethod.Get, $"/v1/responses/{id}?stream=true" + (after is { } number ? string.Create(CultureInfo.InvariantCulture, $"&starting_after={number}") : "")));

    /// <summary>Reads on to an event of this type; none when there is no type.</summary>
    public async Task UntilAsync(string? type)
    {
        while (type is not null && await NextAsync() is { } data)
        {
            if (data.GetProperty("type").GetString() == type)
                return;
        }

        Assert.Null(type);
    }

    /// <summary>Reads on until a text has been said, which must come as a piece of its own.</summary>
    public async Task UntilSaidAsync(string text)
    {
        while (await NextAsync() is { } data)
        {
            if (!data.TryGetProperty("delta", out JsonElement delta))
                continue;
            Assert.Equal(text, delta.GetString());
            return;
        }

        Assert.Fail($"The stream ended before it said {text}: {string.Join('\n', Events)}");
    }

    /// <summary>Reads the rest.</summary>
    /// <returns>All events.</returns>
    public async Task<List<string>> ToEndAsync()
    {
        while (await NextAsync() is not null)
        {
            // Kept with the others.
        }

        return Events;
    }

    public void Dispose() => _response.Dispose();

    private static async Task<StreamReading> OpenAsync(HttpClient client, HttpRequestMessage request)
    {
        HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        if (!response.IsSuccessStatusCode)
            Assert.Fail(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return new StreamReading(response, await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
    }

    private async Task<JsonElement?> NextAsync()
    {
        if (!await _events.MoveNextAsync())
            return null;
        JsonElement data = JsonDocument.Parse(_events.Current.Data).RootElement;
        Assert.Equal(_events.Current.Event, data.GetProperty("type").GetString());
        Events.Add(_events.Current.Data);
        return data;
    }
}
