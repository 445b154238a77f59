using System.Text.Json;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tasks;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Glimmer.Server.Tests.Tasks;

public sealed class AsyncChatTests : IAsyncLifetime
{
    private const string Path = "/api/paas/v4/async/chat/completions";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task The_answer_is_that_of_the_chat_and_is_recorded_once()
    {
        JsonElement given = await _harness.ChatAsync("""{"model":"glm-4.7","stream":true,"request_id":"mine-1","messages":[{"role":"user","content":"hi"}]}""", Path);
        string id = given.GetProperty("id").GetString()!;
        Assert.Equal(("mine-1", "glm-4.7", "PROCESSING"), (given.GetProperty("request_id").GetString(), given.GetProperty("model").GetString(), given.GetProperty("task_status").GetString()));
        JsonElement result = await EndAsync(id);
        Assert.Equal(
            ("SUCCESS", id, "mine-1", "glm-4.7", "chat.completion"),
            (result.GetProperty("task_status").GetString(), result.GetProperty("id").GetString(), result.GetProperty("request_id").GetString(), result.GetProperty("model").GetString(), result.GetProperty("object").GetString()));
        JsonElement sync = await _harness.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal(sync.GetProperty("choices").GetRawText(), result.GetProperty("choices").GetRawText());
        Assert.Equal(sync.GetProperty("usage").GetRawText(), result.GetProperty("usage").GetRawText());
        Assert.Equal(2, _harness.Backend.Requests);
        Assert.Equal(1, await UsageRowsAsync(id));
        Assert.DoesNotContain(_harness.Logs.Lines, line => line.Text.Contains("\"hi\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_request_without_an_id_of_its_own_has_one_id_from_beginning_to_end()
    {
        JsonElement given = await _harness.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""", Path);
        string id = given.GetProperty("id").GetString()!;
        Assert.Equal(id, given.GetProperty("request_id").GetString());
        Assert.Equal(id, (await EndAsync(id)).GetProperty("request_id").GetString());
    }

    [Fact]
    public async Task A_run_whose_node_died_after_the_charge_is_repeated_for_nothing()
    {
        string id = await GiveAsync();
        await EndAsync(id);
        await using (var store = new SqliteConnection($"Data Source={System.IO.Path.Combine(_harness.Folder, StoreSettings.FileName)};Pooling=False"))
        {
            // As a node leaves it that dies between charge and result.
            await store.OpenAsync();
            using SqliteCommand command = store.CreateCommand();
            command.CommandText = "UPDATE tasks SET state = 1, node = 'dead', lease_until = 0, result = NULL, ended = NULL, body = @body WHERE id = @id";
            command.Parameters.AddWithValue("@id", id);
            command.Parameters.AddWithValue("@body", """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}"""u8.ToArray());
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }

        JsonElement result = await EndAsync(id);
        Assert.Equal("SUCCESS", result.GetProperty("task_status").GetString());
        Assert.Equal(2, _harness.Backend.Requests);
        Assert.Equal(1, await UsageRowsAsync(id));
    }

    [Fact]
    public async Task Errors_of_the_request_are_told_at_once()
    {
        foreach ((string body, string code) in new[]
        {
            ("""{"model":"glm-4.7"}""", "1213"), ("""{"model":"nothing","messages":[{"role":"user","content":"hi"}]}""", "1211"), ("[", "1210"),
        })
        {
            using HttpResponseMessage response = await _harness.PostAsync(body, Path);
            Assert.Equal((400, code), ((int)response.StatusCode, await CodeAsync(response)));
        }

        using HttpClient nobody = new() { BaseAddress = _harness.Client.BaseAddress };
        using HttpResponseMessage refused = await nobody.PostAsync(Path, null);
        Assert.Equal(401, (int)refused.StatusCode);
        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Fact]
    public async Task A_request_id_comes_once()
    {
        const string Body = """{"model":"glm-4.7","request_id":"once-1","messages":[{"role":"user","content":"hi"}]}""";
        await _harness.ChatAsync(Body, Path);
        using HttpResponseMessage again = await _harness.PostAsync(Body, Path);
        Assert.Equal("1231", await CodeAsync(again));
    }

    [Theory]
    [InlineData(Path, "/api/paas/v4/chat/completions")]
    [InlineData("/api/paas/v4/chat/completions", Path)]
    [InlineData("/api/coding/paas/v4/chat/completions", Path)]
    public async Task A_request_id_comes_once_whether_it_is_answered_at_once_or_later(string first, string second)
    {
        const string Body = """{"model":"glm-4.7","request_id":"once-2","messages":[{"role":"user","content":"hi"}]}""";
        await _harness.ChatAsync(Body, first);
        using HttpResponseMessage again = await _harness.PostAsync(Body, second);
        Assert.Equal((400, "1231"), ((int)again.StatusCode, await CodeAsync(again)));
    }

    [Fact]
    public async Task A_request_id_whose_chat_made_nothing_may_come_again()
    {
        const string Body = """{"model":"glm-4.7","request_id":"once-3","messages":[{"role":"user","content":"hi"}]}""";
        _harness.Backend.Script = _ => ChatScript.Of("x") with { Error = PlatformError.Of(BusinessCode.Overloaded) };
        (await _harness.PostAsync(Body)).Dispose();
        _harness.Backend.Script = _ => ChatScript.Of("x");
        await EndAsync((await _harness.ChatAsync(Body, Path)).GetProperty("id").GetString()!);
    }

    [Fact]
    public async Task Unknown_ids_and_those_of_others_do_not_exist()
    {
        var queue = new TaskQueue(_harness.Server.Accounts.Store, new TaskSettings());
        await queue.AddAsync(new NewTask("of-another", 987654, "k", "chat", []), TimeSpan.Zero);
        foreach (string id in new[] { "nothing", "of-another", new string('x', 500) })
        {
            using HttpResponseMessage response = await _harness.Client.GetAsync("/api/paas/v4/async-result/" + id);
            Assert.Equal((400, "1214"), ((int)response.StatusCode, await CodeAsync(response)));
        }
    }

    [Fact]
    public async Task A_refusal_of_the_backend_fails_the_task_with_its_code()
    {
        _harness.Backend.Script = _ => ChatScript.Of("x") with { Error = PlatformError.Of(BusinessCode.PromptTooLong) };
        JsonElement result = await EndAsync((await GiveAsync()));
        Assert.Equal(("FAIL", "1261"), (result.GetProperty("task_status").GetString(), result.GetProperty("error").GetProperty("code").GetString()));
        Assert.Equal(1, _harness.Backend.Requests);
    }

    [Fact]
    public async Task A_fault_is_tried_again()
    {
        int runs = 0;
        _harness.Backend.Script = _ => Interlocked.Increment(ref runs) == 1 ? ChatScript.Of("a", "b") with { FaultAt = 1 } : ChatScript.Of("whole");
        JsonElement result = await EndAsync(await GiveAsync());
        Assert.Equal("whole", result.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(2, runs);
        Assert.DoesNotContain(ScriptedBackend.CanaryText, string.Concat(_harness.Logs.Lines.Select(line => line.Text)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_switched_off_meanwhile_has_nothing_done()
    {
        var opened = new TaskCompletionSource();
        _harness.Backend.Script = _ => ChatScript.Of("x") with { Opened = opened.Task };
        string[] filling = [.. await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => GiveAsync()))];
        await ServerHarness.UntilAsync(() => _harness.Backend.Active == 8);
        var other = _harness.Server.Keys.Create("another");
        using var client = new HttpClient { BaseAddress = _harness.Client.BaseAddress };
        client.DefaultRequestHeaders.Add("Authorization", other.Credential);
        using HttpResponseMessage given = await client.PostAsync(Path, new StringContent("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}"""));
        string id = JsonDocument.Parse(await given.Content.ReadAsStringAsync()).RootElement.GetProperty("id").GetString()!;
        Assert.True(_harness.Server.Keys.SetDisabled(other.Key.Id, true));
        opened.SetResult();
        JsonElement result = await EndAsync(id);
        Assert.Equal(("FAIL", "1000"), (result.GetProperty("task_status").GetString(), result.GetProperty("error").GetProperty("code").GetString()));
        foreach (string one in filling)
            Assert.Equal("SUCCESS", (await EndAsync(one)).GetProperty("task_status").GetString());
    }

    [Fact]
    public async Task A_restart_goes_on_with_what_was_given()
    {
        await using ServerHarness first = await ServerHarness.StartAsync(options => options with { DrainTime = TimeSpan.FromMilliseconds(50) });
        first.Backend.Script = _ => ChatScript.Of("never") with { HangAtEnd = true };
        using HttpResponseMessage given = await first.PostAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""", Path);
        string id = JsonDocument.Parse(await given.Content.ReadAsStringAsync()).RootElement.GetProperty("id").GetString()!;
        await ServerHarness.UntilAsync(() => first.Backend.Active == 1);
        await first.Server.StopAsync();
        TaskEntry? kept = await new TaskQueue(first.Server.Accounts.Store, new TaskSettings()).FindAsync(first.Server.Accounts.Directory.FindKey(first.Key.Split('.')[0])!.AccountId, id);
        Assert.Equal(TaskState.Queued, kept!.State);
        Assert.Equal(0, first.Backend.Active);
    }

    private async Task<string> GiveAsync() =>
        (await _harness.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""", Path)).GetProperty("id").GetString()!;

    private async Task<JsonElement> EndAsync(string id)
    {
        for (int i = 0; i < 5000; i++)
        {
            JsonElement result = JsonDocument.Parse(await _harness.Client.GetStringAsync("/api/paas/v4/async-result/" + id)).RootElement;
            if (result.GetProperty("task_status").GetString() != "PROCESSING")
                return result;
            Assert.Equal(id, result.GetProperty("id").GetString());
            await Task.Delay(25);
        }

        throw new TimeoutException("the task did not end");
    }

    private async Task<long> UsageRowsAsync(string id)
    {
        await using var store = new SqliteConnection($"Data Source={System.IO.Path.Combine(_harness.Folder, StoreSettings.FileName)};Pooling=False");
        await store.OpenAsync();
        using SqliteCommand command = store.CreateCommand();
        command.CommandText = "SELECT COUNT(*) FROM ledger_usage WHERE request = @id";
        command.Parameters.AddWithValue("@id", id);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task<string> CodeAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error").GetProperty("code").GetString()!;
}
