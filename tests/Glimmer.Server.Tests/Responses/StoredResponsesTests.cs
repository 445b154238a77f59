using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Platform.Responses;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Billing;
using Glimmer.Server.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Responses;

public sealed class StoredResponsesTests : IAsyncLifetime
{
    private const string Path = "/v1/responses";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("", false)]
    [InlineData(",\"store\":true", true)]
    public async Task A_response_is_gone_on_from(string store, bool stored)
    {
        _harness.Backend.Script = _ => new([new(ChatEventKind.Reasoning, "r"), new(ChatEventKind.Content, "one")]);
        JsonElement first = await CreateAsync($"\"input\":\"a\",\"instructions\":\"not carried over\"{store}");
        Assert.Equal(stored, first.GetProperty("store").GetBoolean());
        JsonElement second = await CreateAsync($"\"input\":\"b\",\"previous_response_id\":\"{Id(first)}\"{store}");
        JsonElement third = await CreateAsync($"\"input\":\"c\",\"previous_response_id\":\"{Id(second)}\"{store}");
        Assert.Equal(["User:a", "Assistant:one", "User:b", "Assistant:one", "User:c"], Seen());
        Assert.Equal("r", _harness.Backend.LastRequest!.Conversation.Messages[1].ReasoningContent);
        Assert.Equal(Id(second), third.GetProperty("previous_response_id").GetString());

        Assert.Equal(third.GetRawText(), (await GetAsync($"{Path}/{Id(third)}")).GetRawText());
        JsonElement items = await GetAsync($"{Path}/{Id(third)}/input_items");
        Assert.Equal("c", Assert.Single(items.GetProperty("data").EnumerateArray()).GetProperty("content")[0].GetProperty("text").GetString());
        Assert.StartsWith("msg_", items.GetProperty("first_id").GetString(), StringComparison.Ordinal);

        // An item is named by its id.
        string item = first.GetProperty("output")[1].GetProperty("id").GetString()!;
        await CreateAsync($$"""
            "input":[{"role":"user","content":"a"},{"type":"item_reference","id":"{{item}}"},{"role":"user","content":"d"}]
            """);
        Assert.Equal(["User:a", "Assistant:one", "User:d"], Seen());

        using HttpResponseMessage deleted = await _harness.Client.DeleteAsync($"{Path}/{Id(first)}", TestContext.Current.CancellationToken);
        Assert.Contains("\"deleted\":true", await deleted.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(404, await StatusAsync(HttpMethod.Get, $"{Path}/{Id(first)}"));
        Assert.Equal(404, await StatusAsync(HttpMethod.Delete, $"{Path}/{Id(first)}"));
        using HttpResponseMessage broken = await _harness.PostAsync($"{{\"model\":\"glm-4.7\",\"input\":\"x\",\"previous_response_id\":\"{Id(second)}\"}}", Path);
        Assert.Equal(404, (int)broken.StatusCode);
    }

    [Fact]
    public async Task Nothing_reaches_the_disk_unless_asked_and_nothing_is_remembered_when_refused()
    {
        JsonElement plain = await CreateAsync("\"input\":\"canary in memory\"");
        JsonElement refused = await CreateAsync("\"input\":\"canary refused\",\"store\":false");
        JsonElement kept = await CreateAsync("\"input\":\"canary kept\",\"store\":true");
        Assert.Equal(200, await StatusAsync(HttpMethod.Get, $"{Path}/{Id(plain)}"));
        Assert.Equal(404, await StatusAsync(HttpMethod.Get, $"{Path}/{Id(refused)}"));
        Assert.Equal(200, await StatusAsync(HttpMethod.Get, $"{Path}/{Id(kept)}"));
        await _harness.Server.StopAsync(TestContext.Current.CancellationToken);
        string disk = string.Concat(Directory.EnumerateFiles(_harness.Folder).Select(file =>
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            return reader.ReadToEnd();
        }));
        Assert.Contains("canary kept", disk, StringComparison.Ordinal);
        Assert.DoesNotContain("canary in memory", disk, StringComparison.Ordinal);
        Assert.DoesNotContain("canary refused", disk, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", string.Concat(_harness.Logs.Lines.Select(line => line.Text)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_accounts_is_not_there()
    {
        JsonElement kept = await CreateAsync("\"input\":\"x\",\"store\":true");
        JsonElement recent = await CreateAsync("\"input\":\"x\"");
        JsonElement conversation = await _harness.ChatAsync("{}", "/v1/conversations");
        using var store = PlatformStore.Open(new StoreSettings { DataFolder = _harness.Folder });
        var responses = new ResponseStore(store);
        Assert.NotNull(await responses.FindAsync(Owner, Id(kept)));
        Assert.Null(await responses.FindAsync(Owner + 1, Id(kept)));
        Assert.Null(await responses.FindItemAsync(Owner + 1, kept.GetProperty("output")[0].GetProperty("id").GetString()!));
        Assert.False(await responses.DeleteAsync(Owner + 1, Id(kept)));
        Assert.Null(await responses.FindAsync(Owner, Id(recent)));
        var conversations = new ConversationStore(store);
        Assert.Null(await conversations.FindAsync(Owner + 1, Id(conversation)));
        Assert.Null(await conversations.ItemsAsync(Owner + 1, Id(conversation)));
        Assert.False(await conversations.DeleteAsync(Owner + 1, Id(conversation)));
        Assert.NotNull(await conversations.FindAsync(Owner, Id(conversation)));
    }

    [Fact]
    public async Task A_conversation_holds_what_is_said_in_it()
    {
        JsonElement conversation = await _harness.ChatAsync("""{"metadata":{"topic":"t"},"items":[{"type":"message","role":"user","content":"zero"}]}""", "/v1/conversations");
        string address = $"/v1/conversations/{Id(conversation)}";
        Assert.Equal("t", conversation.GetProperty("metadata").GetProperty("topic").GetString());
        _harness.Backend.Script = _ => ChatScript.Of("one");
        JsonElement response = await CreateAsync($"\"input\":\"a\",\"conversation\":\"{Id(conversation)}\"");
        Assert.Equal(Id(conversation), response.GetProperty("conversation").GetProperty("id").GetString());
        await CreateAsync($$"""
            "input":"b","conversation":{"id":"{{Id(conversation)}}"}
            """);
        Assert.Equal(["User:zero", "User:a", "Assistant:one", "User:b"], Seen());
        JsonElement page = await GetAsync($"{address}/items?order=asc&limit=2");
        Assert.Equal(["zero", "a"], page.GetProperty("data").EnumerateArray().Select(Text));
        Assert.True(page.GetProperty("has_more").GetBoolean());
        page = await GetAsync($"{address}/items?order=asc&after={page.GetProperty("last_id").GetString()}");
        Assert.Equal(["one", "b", "one"], page.GetProperty("data").EnumerateArray().Select(Text));
        string last = (await GetAsync($"{address}/items?limit=1")).GetProperty("data")[0].GetProperty("id").GetString()!;
        Assert.Equal("one", Text(await GetAsync($"{address}/items/{last}")));
        Assert.Equal(200, await StatusAsync(HttpMethod.Delete, $"{address}/items/{last}"));
        Assert.Equal(404, await StatusAsync(HttpMethod.Get, $"{address}/items/{last}"));
        await _harness.ChatAsync("""{"items":[{"role":"user","content":"more"}]}""", $"{address}/items");
        Assert.Equal(5, (await GetAsync($"{address}/items")).GetProperty("data").GetArrayLength());
        Assert.Equal("u", (await _harness.ChatAsync("""{"metadata":{"topic":"u"}}""", address)).GetProperty("metadata").GetProperty("topic").GetString());
        Assert.Equal(200, await StatusAsync(HttpMethod.Delete, address));
        Assert.Equal(404, await StatusAsync(HttpMethod.Get, address));
        using HttpResponseMessage gone = await _harness.PostAsync($"{{\"model\":\"glm-4.7\",\"input\":\"x\",\"conversation\":\"{Id(conversation)}\"}}", Path);
        Assert.Equal(404, (int)gone.StatusCode);
    }

    [Fact]
    public async Task A_response_in_the_background_is_polled()
    {
        var opened = new TaskCompletionSource();
        _harness.Backend.Script = _ => ChatScript.Of("done") with { Opened = opened.Task };
        JsonElement queued = await CreateAsync("\"input\":\"a\",\"background\":true");
        Assert.Equal(("queued", true), (queued.GetProperty("status").GetString(), queued.GetProperty("store").GetBoolean()));
        await UntilAsync(Id(queued), "in_progress");
        opened.SetResult();
        JsonElement done = await UntilAsync(Id(queued), "completed");
        Assert.Equal("done", Text(done.GetProperty("output")[0]));
        Assert.Equal(34, done.GetProperty("usage").GetProperty("output_tokens").GetInt32());
        _harness.Backend.Script = _ => ChatScript.Of("x");
        await CreateAsync($"\"input\":\"b\",\"previous_response_id\":\"{Id(queued)}\"");
        Assert.Equal(["User:a", "Assistant:done", "User:b"], Seen());
    }

    [Fact]
    public async Task A_response_in_the_background_can_be_cancelled_and_can_fail()
    {
        _harness.Backend.Script = _ => ChatScript.Of("x") with { HangAtEnd = true };
        JsonElement queued = await CreateAsync("\"input\":\"a\",\"background\":true");
        await UntilAsync(Id(queued), "in_progress");
        JsonElement cancelled = await _harness.ChatAsync("", $"{Path}/{Id(queued)}/cancel");
        Assert.Equal("cancelled", cancelled.GetProperty("status").GetString());
        Assert.Equal("cancelled", (await _harness.ChatAsync("", $"{Path}/{Id(queued)}/cancel")).GetProperty("status").GetString());
        Assert.Equal(0, _harness.Backend.Active);

        _harness.Backend.Script = _ => new([]) { Error = PlatformError.Of(BusinessCode.PromptTooLong) };
        JsonElement failed = await UntilAsync(Id(await CreateAsync("\"input\":\"a\",\"background\":true")), "failed");
        Assert.Equal("invalid_prompt", failed.GetProperty("error").GetProperty("code").GetString());

        _harness.Backend.Script = _ => ChatScript.Of("x");
        JsonElement plain = await CreateAsync("\"input\":\"a\",\"store\":true");
        using HttpResponseMessage refused = await _harness.PostAsync("", $"{Path}/{Id(plain)}/cancel");
        Assert.Equal(400, (int)refused.StatusCode);
    }

    [Fact]
    public async Task A_response_in_the_background_outlives_its_server()
    {
        await using ServerHarness other = await ServerHarness.StartAsync(options => options with { DrainTime = TimeSpan.Zero });
        JsonElement before = await other.ChatAsync("""{"model":"glm-4.7","input":"in memory only"}""", Path);
        other.Backend.Script = _ => ChatScript.Of("x") with { HangAtEnd = true };
        JsonElement queued = await other.ChatAsync($$"""{"model":"glm-4.7","input":"a","background":true,"previous_response_id":"{{Id(before)}}"}""", Path);
        await ServerHarness.UntilAsync(() => other.Backend.Active == 1);
        await other.Server.StopAsync(TestContext.Current.CancellationToken);

        var backend = new ScriptedBackend("glimmer-tiny") { Script = _ => ChatScript.Of("made by the next one") };
        var slot = new ChatBackendSlot();
        slot.Fill([backend], backend);
        await using var server = GlimmerServer.Create(new GlimmerOptions { Port = 0, DataFolder = other.Folder, StoreDurability = StoreDurability.Off, LogLevel = LogLevel.None }, slot);
        await server.StartAsync(TestContext.Current.CancellationToken);
        using var client = new HttpClient { BaseAddress = server.Addresses[0] };
        client.DefaultRequestHeaders.Authorization = new("Bearer", other.Key);
        JsonElement done = default;
        await ServerHarness.UntilAsync(() => (done = JsonDocument.Parse(client.GetStringAsync($"{Path}/{Id(queued)}").GetAwaiter().GetResult()).RootElement).GetProperty("status").GetString() == "completed");
        Assert.Equal("made by the next one", Text(done.GetProperty("output")[0]));
        Assert.Equal(queued.GetProperty("created_at").GetInt64(), done.GetProperty("created_at").GetInt64());
        Assert.Equal(["User:in memory only", "Assistant:Hello", "User:a"], Seen(backend));
        Assert.Equal(1, (await server.Ledger.AuditAsync()).Count == 0 ? backend.Requests : -1);
    }

    [Fact]
    public async Task What_a_server_left_in_the_middle_is_failed_after_its_restart()
    {
        using var store = PlatformStore.Open(new StoreSettings { DataFolder = _harness.Folder });
        await new ResponseStore(store).KeepAsync(
            new StoredResponse("resp_left", Owner, "in_progress", DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), null, "[]", """{"id":"resp_left","status":"in_progress","background":true,"error":null,"output":[]}"""), isNew: true);
        JsonElement lost = await GetAsync($"{Path}/resp_left");
        Assert.Equal("failed", lost.GetProperty("status").GetString());
        Assert.Contains("stopped while", lost.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        using HttpResponseMessage next = await _harness.PostAsync("""{"model":"glm-4.7","input":"x","previous_response_id":"resp_left"}""", Path);
        Assert.Equal(400, (int)next.StatusCode);
    }

    [Fact]
    public async Task What_is_kept_is_exported_and_erased_with_its_account()
    {
        await CreateAsync("\"input\":\"exported question\",\"store\":true");
        JsonElement conversation = await _harness.ChatAsync("""{"items":[{"role":"user","content":"exported item"}]}""", "/v1/conversations");
        using var store = PlatformStore.Open(new StoreSettings { DataFolder = _harness.Folder });
        var data = new ResponsesData(store);
        Platform.Accounts.AccountEntry account = _harness.Server.Accounts.Directory.Find(Owner)!;
        string export = (await data.ExportAsync(account, TestContext.Current.CancellationToken))!.ToJsonString();
        Assert.Contains("exported question", export, StringComparison.Ordinal);
        Assert.Contains("exported item", export, StringComparison.Ordinal);
        await data.EraseAsync(account);
        Assert.DoesNotContain("exported", (await data.ExportAsync(account, TestContext.Current.CancellationToken))!.ToJsonString(), StringComparison.Ordinal);
        Assert.Null(await new ConversationStore(store).FindAsync(Owner, Id(conversation)));
    }

    [Fact]
    public async Task What_is_kept_expires()
    {
        var time = new ServerClock(DateTimeOffset.UtcNow);
        string folder = Directory.CreateTempSubdirectory("glimmer-responses-").FullName;
        using (var store = PlatformStore.Open(new StoreSettings { DataFolder = folder, Time = time }))
        {
            var responses = new ResponseStore(store);
            var one = new StoredResponse("resp_1", 7, "completed", time.GetUtcNow().ToUnixTimeMilliseconds(), null, "[]", "{}") { Output = [new StoredItem("msg_1", "{}")] };
            await responses.KeepAsync(one, isNew: true);
            Assert.NotNull(await responses.FindItemAsync(7, "msg_1"));
            time.Advance(ResponseStore.Lifetime + TimeSpan.FromSeconds(1));
            Assert.Null(await responses.FindAsync(7, "resp_1"));
            Assert.Null(await responses.FindItemAsync(7, "msg_1"));
            await responses.KeepAsync(one with { Id = "resp_2", Output = [], Created = time.GetUtcNow().ToUnixTimeMilliseconds() }, isNew: true);
            Assert.NotNull(await responses.FindAsync(7, "resp_2"));
        }

        Directory.Delete(folder, recursive: true);
    }

    private static string Id(JsonElement thing) => thing.GetProperty("id").GetString()!;

    private static string? Text(JsonElement item) => item.GetProperty("content")[0].GetProperty("text").GetString();

    private long Owner => _harness.Server.Keys.Keys[0].AccountId;

    private IEnumerable<string> Seen() => Seen(_harness.Backend);

    private static IEnumerable<string> Seen(ScriptedBackend backend) => backend.LastRequest!.Conversation.Messages.Select(message => $"{message.Role}:{string.Concat(message.Content.Cast<TextPart>().Select(part => part.Text))}");

    private Task<JsonElement> CreateAsync(string fields) => _harness.ChatAsync($$"""{"model":"glm-4.7",{{fields}}}""", Path);

    private async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await _harness.Client.GetStringAsync(path, TestContext.Current.CancellationToken)).RootElement;

    private async Task<int> StatusAsync(HttpMethod method, string path)
    {
        using HttpResponseMessage response = await _harness.Client.SendAsync(new HttpRequestMessage(method, path), TestContext.Current.CancellationToken);
        return (int)response.StatusCode;
    }

    private async Task<JsonElement> UntilAsync(string id, string status)
    {
        for (int i = 0; i < 20_000; i++)
        {
            JsonElement response = await GetAsync($"{Path}/{id}");
            if (response.GetProperty("status").GetString() == status)
                return response;
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        throw new InvalidOperationException($"{id} never became {status}: {(await GetAsync($"{Path}/{id}")).GetRawText()}");
    }
}
