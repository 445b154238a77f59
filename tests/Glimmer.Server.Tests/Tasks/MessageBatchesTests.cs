using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Tasks;

public sealed class MessageBatchesTests : IAsyncLifetime
{
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("/api/anthropic/v1/messages/batches")]
    [InlineData("/v1/messages/batches")]
    public async Task A_batch_has_a_result_for_each_request(string path)
    {
        JsonElement batch = await _harness.ChatAsync($$"""{"requests":[{{Request("a")}},{{Request("b", "\"max_tokens\":0")}},{{Request("c", "\"stream\":true")}}]}""", path);
        string id = batch.GetProperty("id").GetString()!;
        Assert.StartsWith("msgbatch_", id, StringComparison.Ordinal);
        Assert.Equal(("message_batch", "in_progress"), (batch.GetProperty("type").GetString(), batch.GetProperty("processing_status").GetString()));
        Assert.Equal("""{"processing":3,"succeeded":0,"errored":0,"canceled":0,"expired":0}""", batch.GetProperty("request_counts").GetRawText());
        batch = await EndAsync(path, id);
        Assert.Equal("""{"processing":0,"succeeded":2,"errored":1,"canceled":0,"expired":0}""", batch.GetProperty("request_counts").GetRawText());
        string url = batch.GetProperty("results_url").GetString()!;
        Assert.Equal(new Uri(_harness.Client.BaseAddress!, $"{path}/{id}/results").ToString(), url);
        JsonElement[] lines = [.. (await _harness.Client.GetStringAsync(new Uri(url))).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(
            [("a", "succeeded"), ("b", "errored"), ("c", "succeeded")],
            lines.Select(line => (line.GetProperty("custom_id").GetString(), line.GetProperty("result").GetProperty("type").GetString())));
        JsonElement message = lines[0].GetProperty("result").GetProperty("message"), error = lines[1].GetProperty("result").GetProperty("error");
        Assert.Equal(("message", "Hello"), (message.GetProperty("type").GetString(), message.GetProperty("content")[0].GetProperty("text").GetString()));
        Assert.Equal(("error", "invalid_request_error"), (error.GetProperty("type").GetString(), error.GetProperty("error").GetProperty("type").GetString()));

        JsonElement list = JsonDocument.Parse(await _harness.Client.GetStringAsync(path + "?limit=1")).RootElement;
        Assert.Equal((id, id, false), (list.GetProperty("first_id").GetString(), list.GetProperty("data")[0].GetProperty("id").GetString(), list.GetProperty("has_more").GetBoolean()));
        using HttpResponseMessage deleted = await _harness.Client.DeleteAsync($"{path}/{id}");
        Assert.Equal($$"""{"id":"{{id}}","type":"message_batch_deleted"}""", await deleted.Content.ReadAsStringAsync());
        using HttpResponseMessage gone = await _harness.Client.GetAsync($"{path}/{id}");
        Assert.Equal(404, (int)gone.StatusCode);
        Assert.Contains("not_found_error", await gone.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cancelled_batch_ends_with_what_was_done()
    {
        const string Path = "/api/anthropic/v1/messages/batches";
        _harness.Backend.Script = _ => ChatScript.Of("x") with { HangAtEnd = true };
        JsonElement batch = await _harness.ChatAsync($$"""{"requests":[{{string.Join(',', Enumerable.Range(0, 20).Select(i => Request($"r{i}")))}}]}""", Path);
        string id = batch.GetProperty("id").GetString()!;
        await ServerHarness.UntilAsync(() => _harness.Backend.Active == 8);
        using HttpResponseMessage early = await _harness.Client.GetAsync($"{Path}/{id}/results"), kept = await _harness.Client.DeleteAsync($"{Path}/{id}");
        Assert.Equal((400, 400), ((int)early.StatusCode, (int)kept.StatusCode));
        JsonElement cancelled = await _harness.ChatAsync("", $"{Path}/{id}/cancel");
        Assert.Equal("canceling", cancelled.GetProperty("processing_status").GetString());
        Assert.NotNull(cancelled.GetProperty("cancel_initiated_at").GetString());
        batch = await EndAsync(Path, id);
        Assert.Equal(20, batch.GetProperty("request_counts").GetProperty("canceled").GetInt32());
        Assert.Contains("""{"custom_id":"r0","result":{"type":"canceled"}}""", await _harness.Client.GetStringAsync($"{Path}/{id}/results"), StringComparison.Ordinal);
        Assert.Equal(0, _harness.Backend.Active);
    }

    [Theory]
    [InlineData("""{}""", "requests")]
    [InlineData("""{"requests":[]}""", "requests")]
    [InlineData("""{"requests":[5]}""", "requests[0]")]
    [InlineData("""{"requests":[{"params":{}}]}""", "requests[0].custom_id")]
    [InlineData("""{"requests":[{"custom_id":"a b","params":{}}]}""", "requests[0].custom_id")]
    [InlineData("""{"requests":[{"custom_id":"a"}]}""", "requests[0].params")]
    [InlineData("""{"requests":[{"custom_id":"a","params":"x"}]}""", "requests[0].params")]
    [InlineData("""{"requests":[{"custom_id":"a","params":{}},{"custom_id":"a","params":{}}]}""", "requests[1].custom_id")]
    public async Task What_is_no_batch_is_told(string body, string field)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, "/v1/messages/batches");
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal((400, "invalid_request_error"), ((int)response.StatusCode, error.GetProperty("error").GetProperty("type").GetString()));
        Assert.Contains(field, error.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/v1/messages/batches/msgbatch_no")]
    [InlineData("DELETE", "/v1/messages/batches/msgbatch_no")]
    [InlineData("POST", "/v1/messages/batches/msgbatch_no/cancel")]
    [InlineData("GET", "/v1/messages/batches/msgbatch_no/results")]
    public async Task Unknown_batches_are_not_found(string method, string path)
    {
        using HttpResponseMessage response = await _harness.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
        Assert.Equal(404, (int)response.StatusCode);
        using var nobody = new HttpClient { BaseAddress = _harness.Client.BaseAddress };
        using HttpResponseMessage refused = await nobody.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
        Assert.Equal(401, (int)refused.StatusCode);
    }

    [Fact]
    public async Task An_item_whose_backend_is_busy_waits_for_it()
    {
        int runs = 0;
        _harness.Backend.Script = _ => Interlocked.Increment(ref runs) < 3 ? ChatScript.Of("x") with { Error = PlatformError.Of(BusinessCode.Overloaded) } : ChatScript.Of("done");
        JsonElement batch = await _harness.ChatAsync($$"""{"requests":[{{Request("a")}}]}""", "/v1/messages/batches");
        batch = await EndAsync("/v1/messages/batches", batch.GetProperty("id").GetString()!);
        Assert.Equal((1, 3), (batch.GetProperty("request_counts").GetProperty("succeeded").GetInt32(), runs));
    }

    private static string Request(string name, string more = "\"top_k\":40") =>
        $$"""{"custom_id":"{{name}}","params":{"model":"claude-sonnet-4-5","max_tokens":50,{{more}},"messages":[{"role":"user","content":"hi {{name}}"}]} }""";

    private async Task<JsonElement> EndAsync(string path, string id)
    {
        for (int i = 0; i < 6000; i++)
        {
            JsonElement batch = JsonDocument.Parse(await _harness.Client.GetStringAsync($"{path}/{id}")).RootElement;
            if (batch.GetProperty("processing_status").GetString() == "ended")
                return batch;
            await Task.Delay(25);
        }

        throw new TimeoutException("the batch did not end");
    }
}
