using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Glimmer.Chaos;

/// <summary>Asks one thing at a time, in every dialect, of a node chosen by chance.</summary>
internal sealed class ChaosClient(ChaosReport report, IReadOnlyList<Uri> nodes, IReadOnlyList<string> keys, Random random, Func<int> next) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(15) }) { Timeout = TimeSpan.FromSeconds(60) };
    private readonly List<(string Key, Uri Path, ChaosRequest[] Requests, Func<JsonElement, bool> Ended)> _later = [];

    /// <summary>How long an answer may take from its first byte to its last: whatever fails meanwhile, it has an end long before.</summary>
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(2);

    private bool _failed;

    /// <summary>How many kinds of requests it makes.</summary>
    public const int Kinds = 8;

    /// <summary>Asks until told to end.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            // Whoever found nobody, or was refused, does not ask again at once.
            await Task.Delay(_failed ? 250 : random.Next(0, 40), CancellationToken.None);
            _failed = false;
            string key = keys[random.Next(keys.Count)];
            switch (random.Next(10))
            {
                case 0 or 1:
                    await AskAsync(key, "chat", "/api/paas/v4/chat/completions", body => $$"""{"model":"{{ChaosNode.Model}}","messages":[{"role":"user","content":"{{body}}"}]}""", stream: false);
                    break;
                case 2 or 3:
                    await AskAsync(key, "chat stream", "/api/paas/v4/chat/completions", body => $$"""{"model":"{{ChaosNode.Model}}","stream":true,"messages":[{"role":"user","content":"{{body}}"}]}""", stream: true);
                    break;
                case 4:
                    await AskAsync(key, "openai stream", "/v1/chat/completions", body => $$"""{"model":"{{ChaosNode.Model}}","stream":true,"messages":[{"role":"user","content":"{{body}}"}]}""", stream: true);
                    break;
                case 5:
                    await AskAsync(key, "messages", "/api/anthropic/v1/messages", body => $$"""{"model":"{{ChaosNode.Model}}","max_tokens":500,"messages":[{"role":"user","content":"{{body}}"}]}""", stream: false);
                    break;
                case 6:
                    await AskAsync(key, "messages stream", "/api/anthropic/v1/messages", body => $$"""{"model":"{{ChaosNode.Model}}","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"{{body}}"}]}""", stream: true);
                    break;
                case 7:
                    await GiveAsync(key, "async chat", 1, "/api/paas/v4/async/chat/completions",
                        bodies => $$"""{"model":"{{ChaosNode.Model}}","messages":[{"role":"user","content":"{{bodies[0]}}"}]}""",
                        id => $"/api/paas/v4/async-result/{id}", answer => answer.GetProperty("task_status").GetString() != "PROCESSING");
                    break;
                case 8:
                    await GiveAsync(key, "batch", 3, "/v1/messages/batches",
                        bodies => "{\"requests\":[" + string.Join(',', bodies.Select(ItemOf)) + "]}",
                        id => $"/v1/messages/batches/{id}", answer => answer.GetProperty("processing_status").GetString() == "ended");
                    break;
                default:
                    await GiveAsync(key, "background", 1, "/v1/responses",
                        bodies => $$"""{"model":"{{ChaosNode.Model}}","background":true,"input":"{{bodies[0]}}"}""",
                        id => $"/v1/responses/{id}", answer => answer.GetProperty("status").GetString() is not ("queued" or "in_progress"));
                    break;
            }
        }
    }

    /// <summary>Fetches what was to be answered later, now that nothing is disturbed any more.</summary>
    public async Task FetchAsync(TimeSpan patience)
    {
        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        foreach ((string key, Uri path, ChaosRequest[] requests, Func<JsonElement, bool> ended) in _later)
        {
            while (true)
            {
                string text = await GetAsync(key, path);
                using var answer = JsonDocument.Parse(text);
                if (ended(answer.RootElement))
                {
                    if (requests[0].Kind == "batch")
                        text = await GetAsync(key, new Uri(path + "/results", UriKind.Relative));
                    foreach (ChaosRequest request in requests)
                        Judge(request, requests.Length == 1 ? text : text.Split('\n').FirstOrDefault(line => line.Contains($"\"i{Array.IndexOf(requests, request)}\"", StringComparison.Ordinal)) ?? "", requests);
                    break;
                }

                if (Environment.TickCount64 > end)
                {
                    report.Faults.Enqueue($"{requests[0].Kind} {requests[0].Number} was taken and has no end: {text}");
                    break;
                }

                await Task.Delay(200);
            }
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task AskAsync(string key, string kind, string path, Func<string, string> body, bool stream)
    {
        ChaosRequest asked = New(kind);
        var said = new StringBuilder();
        using var patience = new CancellationTokenSource();
        try
        {
            using HttpResponseMessage response = await SendAsync(key, path, body(TextOf(asked)));
            patience.CancelAfter(_longest);
            using Stream content = await response.Content.ReadAsStreamAsync(patience.Token);
            using var reader = new StreamReader(content, Encoding.UTF8);
            char[] buffer = new char[4096];
            while (await reader.ReadAsync(buffer, patience.Token) is > 0 and int count)
                said.Append(buffer, 0, count);
            string text = said.ToString();
            if (!response.IsSuccessStatusCode)
                Refuse(asked, text);
            else if (stream && IsErrorStream(text))
                (asked.Outcome, asked.Detail) = (ChaosOutcome.Refused, text);
            else if (stream && !text.Contains("[DONE]", StringComparison.Ordinal) && !text.Contains("message_stop", StringComparison.Ordinal))
                asked.Outcome = ChaosOutcome.Cut;
            else
                Judge(asked, stream ? Joined(text) : text, [asked]);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or OperationCanceledException)
        {
            _failed = true;
            asked.Outcome = Unreachable(fault) ? ChaosOutcome.Unreachable : ChaosOutcome.Cut;
            if (patience.IsCancellationRequested)
                report.Faults.Enqueue($"{kind} {asked.Number} began and has no end: {said}");
            if (said.Length > 0)
                CheckOthers(asked, stream ? Joined(said.ToString()) : said.ToString(), [asked]);
        }
    }

    private async Task GiveAsync(string key, string kind, int count, string path, Func<string[], string> body, Func<string, string> address, Func<JsonElement, bool> ended)
    {
        ChaosRequest[] asked = [.. Enumerable.Range(0, count).Select(_ => New(kind))];
        try
        {
            using HttpResponseMessage response = await SendAsync(key, path, body([.. asked.Select(TextOf)]));
            string text = await response.Content.ReadAsStringAsync();
            if (!response.IsSuccessStatusCode)
            {
                foreach (ChaosRequest request in asked)
                    Refuse(request, text);
                return;
            }

            using var answer = JsonDocument.Parse(text);
            report.Taken[kind] = true;
            _later.Add((key, new Uri(address(answer.RootElement.GetProperty("id").GetString()!), UriKind.Relative), asked, ended));
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or OperationCanceledException)
        {
            _failed = true;
            foreach (ChaosRequest request in asked)
                request.Outcome = Unreachable(fault) ? ChaosOutcome.Unreachable : ChaosOutcome.Cut;
        }
    }

    private static string ItemOf(string body, int place) =>
        $$$"""{"custom_id":"i{{{place}}}","params":{"model":"{{{ChaosNode.Model}}}","max_tokens":500,"messages":[{"role":"user","content":"{{{body}}}"}]}}""";

    private ChaosRequest New(string kind)
    {
        var request = new ChaosRequest(next(), kind);
        report.Requests.Enqueue(request);
        return request;
    }

    private string TextOf(ChaosRequest request) => string.Concat(Enumerable.Repeat("word ", random.Next(1, 6))) + request.Nonce;

    private async Task<HttpResponseMessage> SendAsync(string key, string path, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(nodes[random.Next(nodes.Count)], path)) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private async Task<string> GetAsync(string key, Uri path)
    {
        for (int attempt = 0; ; attempt++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(nodes[random.Next(nodes.Count)], path));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
            try
            {
                using HttpResponseMessage response = await _http.SendAsync(request);
                string text = await response.Content.ReadAsStringAsync();
                if (response.IsSuccessStatusCode)
                    return text;
                if (attempt > 300)
                    throw new InvalidOperationException($"{path}: {(int)response.StatusCode} {text}");
            }
            catch (Exception fault) when (fault is HttpRequestException or IOException or OperationCanceledException && attempt <= 10)
            {
                // A connection that a busy machine was slow to make; a node that does not answer ten times is one that is away.
            }

            await Task.Delay(200);
        }
    }

    private void Judge(ChaosRequest request, string text, ChaosRequest[] together)
    {
        CheckOthers(request, text, requestsOf: text.Contains(request.Nonce, StringComparison.Ordinal) ? [request] : together);
        if (Has(text, request.Nonce))
        {
            request.Outcome = ChaosOutcome.Answered;
            report.Taken[request.Kind] = true;
        }
        else if (text.Contains("error", StringComparison.Ordinal) || text.Contains("FAIL", StringComparison.Ordinal))
        {
            (request.Outcome, request.Detail) = (ChaosOutcome.Refused, text);
        }
        else
        {
            report.Faults.Enqueue($"{request.Kind} {request.Number} was answered by something else: {text}");
        }
    }

    /// <summary>Looks for words of other requests in an answer.</summary>
    private void CheckOthers(ChaosRequest request, string text, ChaosRequest[] requestsOf)
    {
        for (int at = text.IndexOf("nonce-", StringComparison.Ordinal); at >= 0; at = text.IndexOf("nonce-", at + 1, StringComparison.Ordinal))
        {
            int end = at + 6;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
                end++;
            string nonce = text[at..end];
            if (!requestsOf.Any(own => own.Nonce == nonce || (end == text.Length && own.Nonce.StartsWith(nonce, StringComparison.Ordinal))))
                report.Faults.Enqueue($"the answer to {request.Kind} {request.Number} says {nonce}");
        }
    }

    private void Refuse(ChaosRequest request, string text)
    {
        (request.Outcome, request.Detail, _failed) = (ChaosOutcome.Refused, text, true);
        if (!text.Contains("\"error\"", StringComparison.Ordinal))
            report.Faults.Enqueue($"{request.Kind} {request.Number} was refused without an error of the platform: {text}");
    }

    private static bool Has(string text, string nonce)
    {
        int at = text.IndexOf(nonce, StringComparison.Ordinal);
        return at >= 0 && (at + nonce.Length == text.Length || !char.IsAsciiDigit(text[at + nonce.Length]));
    }

    private static bool IsErrorStream(string text) => text.Contains("event: error", StringComparison.Ordinal) || text.Contains("data: {\"error\"", StringComparison.Ordinal);

    /// <summary>The words of a stream.</summary>
    private static string Joined(string stream)
    {
        var said = new StringBuilder();
        foreach (string line in stream.Split('\n'))
        {
            if (!line.StartsWith("data: {", StringComparison.Ordinal))
                continue;
            JsonDocument json;
            try
            {
                json = JsonDocument.Parse(line.AsMemory(6));
            }
            catch (JsonException)
            {
                break;   // cut within a line
            }

            using (json)
            {
                JsonElement root = json.RootElement;
                if (root.TryGetProperty("choices", out JsonElement choices) && choices.GetArrayLength() > 0 && choices[0].TryGetProperty("delta", out JsonElement delta)
                    && delta.TryGetProperty("content", out JsonElement content) && content.ValueKind == JsonValueKind.String)
                {
                    said.Append(content.GetString());
                }
                else if (root.TryGetProperty("delta", out delta) && delta.ValueKind == JsonValueKind.Object && delta.TryGetProperty("text", out content))
                {
                    said.Append(content.GetString());
                }
            }
        }

        return said.ToString();
    }

    private static bool Unreachable(Exception fault) => fault is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError };
}
