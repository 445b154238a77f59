using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Billing;

/// <summary>A payment provider on loopback that keeps what it was asked and answers as told.</summary>
internal sealed class FakeProvider : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Dictionary<string, string> _answers = new(StringComparer.Ordinal);

    public FakeProvider()
    {
        Address = new Uri($"http://127.0.0.1:{LoopbackPorts.Take()}/");
        _listener.Prefixes.Add(Address.AbsoluteUri);
        _listener.Start();
        _ = Task.Run(LoopAsync);
    }

    public Uri Address { get; }

    public ConcurrentQueue<(string Path, string? Authorization, string? Key, string Body)> Asked { get; } = new();

    /// <summary>Status to answer with; 0 hangs up.</summary>
    public int Status { get; set; } = 200;

    public string RefundStatus { get; set; } = "succeeded";

    /// <summary>How many different refunds were made.</summary>
    public int Refunds { get; private set; }

    public void Dispose() => _listener.Close();

    private async Task LoopAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception fault) when (fault is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            using var reader = new StreamReader(context.Request.InputStream);
            string body = await reader.ReadToEndAsync();
            string path = context.Request.Url!.AbsolutePath;
            string? key = context.Request.Headers["Idempotency-Key"];
            Asked.Enqueue((path, context.Request.Headers["Authorization"], key, body));
            if (Status == 0)
            {
                context.Response.Abort();
                continue;
            }

            context.Response.StatusCode = Status;
            byte[] answer = Encoding.UTF8.GetBytes(Status == 200 ? Answer(path, key!) : "{\"error\":{}}");
            await context.Response.OutputStream.WriteAsync(answer);
            context.Response.Close();
        }
    }

    private string Answer(string path, string key)
    {
        if (!_answers.TryGetValue(key, out string? answer))
        {
            answer = path.EndsWith("refunds", StringComparison.Ordinal)
                ? $$"""{"id":"re_{{++Refunds}}","status":"{{RefundStatus}}"}"""
                : $$"""{"id":"cs_{{key}}","url":"{{Address}}pay/{{key}}"}""";
            _answers.Add(key, answer);
        }

        return answer;
    }
}
