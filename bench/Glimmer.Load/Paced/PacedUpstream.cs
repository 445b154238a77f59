using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Glimmer.Load.Paced;

/// <summary>
/// The least that speaks OpenAI's chat completions: Kestrel without routing, keys, admission, ledger or log. It is the floor under a gateway's latency, and the service behind the
/// gateways that are compared.
/// </summary>
internal sealed class PacedUpstream : IAsyncDisposable
{
    private const string Head = "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"glm-4.7\",\"choices\":[{\"index\":0,\"delta\":{";

    private static readonly byte[] _plain = Encoding.UTF8.GetBytes(
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"glm-4.7\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Fine.\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2,\"total_tokens\":12}}");

    private static readonly byte[] _models = Encoding.UTF8.GetBytes("{\"object\":\"list\",\"data\":[{\"id\":\"glm-4.7\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"bench\"}]}");
    private readonly WebApplication _app;
    private readonly PacedTokens _tokens;

    private PacedUpstream(WebApplication app, PacedTokens tokens)
    {
        _app = app;
        _tokens = tokens;
    }

    public Uri Address { get; private set; } = new("http://127.0.0.1");

    public static async Task<PacedUpstream> StartAsync(PacedTokens tokens)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
        });
        WebApplication app = builder.Build();
        PacedUpstream upstream = new(app, tokens);
        app.Run(upstream.AnswerAsync);
        await app.StartAsync();
        upstream.Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return upstream;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Method == "GET")
        {
            await WholeAsync(context, _models);
            return;
        }

        (bool stream, int tokens, double rate) = await ReadAsync(context.Request.BodyReader);
        if (stream)
            await StreamAsync(context, tokens, rate);
        else
            await WholeAsync(context, _plain);
    }

    private static Task WholeAsync(HttpContext context, byte[] body)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body).AsTask();
    }

    private async Task StreamAsync(HttpContext context, int count, double rate)
    {
        context.Response.ContentType = "text/event-stream";
        PipeWriter output = context.Response.BodyWriter;
        ChannelReader<string> tokens = _tokens.Open(count, rate);
        int said = 0;
        while (await tokens.WaitToReadAsync(context.RequestAborted))
        {
            while (tokens.TryRead(out string? token))
            {
                Write(output, "data: " + Head + (said++ == 0 ? "\"role\":\"assistant\",\"content\":\"" : "\"content\":\"") + token + "\"},\"finish_reason\":null}]}\n\n");
                if (said % 64 == 0)
                    await output.FlushAsync(context.RequestAborted);
            }

            await output.FlushAsync(context.RequestAborted);
        }

        Write(output, "data: " + Head + "},\"finish_reason\":\"stop\"}]}\n\n");
        Write(output, string.Create(
            CultureInfo.InvariantCulture,
            $"data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"glm-4.7\",\"choices\":[],\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":{said},\"total_tokens\":{10 + said}}}}}\n\ndata: [DONE]\n\n"));
        await output.FlushAsync(context.RequestAborted);
    }

    private static void Write(PipeWriter output, string text) => Encoding.UTF8.GetBytes(text, output);

    private static async Task<(bool Stream, int Tokens, double Rate)> ReadAsync(PipeReader body)
    {
        while (true)
        {
            ReadResult read = await body.ReadAsync();
            if (!read.IsCompleted)
            {
                body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }

            using JsonDocument json = JsonDocument.Parse(read.Buffer);
            JsonElement root = json.RootElement;
            bool stream = root.TryGetProperty("stream", out JsonElement flag) && flag.ValueKind == JsonValueKind.True;
            int tokens = root.TryGetProperty("max_tokens", out JsonElement most) || root.TryGetProperty("max_completion_tokens", out most) ? most.GetInt32() : 1;
            double rate = stream ? PacedQuestion.RateOf(Question(root.GetProperty("messages"))) : 0;
            body.AdvanceTo(read.Buffer.End);
            return (stream, tokens, rate);
        }
    }

    private static string Question(JsonElement messages)
    {
        JsonElement content = messages[messages.GetArrayLength() - 1].GetProperty("content");
        return (content.ValueKind == JsonValueKind.Array ? content[content.GetArrayLength() - 1].GetProperty("text").GetString() : content.GetString()) ?? "";
    }
}
