using System.CommandLine;
using System.Net.Http;
using System.Text.Json;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer health</c>: asks a server whether it is ready, for containers and scripts that have no other program for it.</summary>
internal static class HealthCommand
{
    private const int NotReady = 1;
    private const int Unreachable = 69;

    public static Command Create()
    {
        Argument<string> url = new("URL") { Description = "Address of the server.", DefaultValueFactory = _ => "http://127.0.0.1:8080" };
        Option<double> timeout = new("--timeout") { Description = "Seconds to wait for an answer.", DefaultValueFactory = _ => 5 };
        Command command = new("health", "Ask a server whether it is ready: exit code 0 when it is, 1 when it is not, 69 when nobody answers.") { url, timeout };
        command.SetAction((result, cancel) => AskAsync(result.GetValue(url)!, result.GetValue(timeout), cancel));
        return command;
    }

    private static async Task<int> AskAsync(string address, double timeout, CancellationToken cancel)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https") || timeout is not (> 0 and <= 3600))
        {
            await Console.Error.WriteLineAsync("health: use an address such as http://127.0.0.1:8080, and a timeout of up to 3600 seconds.");
            return UsageError.ExitCode;
        }

        using HttpClient client = new() { Timeout = TimeSpan.FromSeconds(timeout) };
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(new Uri(url, "/health/ready"), cancel);
            string text = await answer.Content.ReadAsStringAsync(cancel);
            (string status, string? detail) = Read(text);
            if (answer.IsSuccessStatusCode)
            {
                await Console.Out.WriteLineAsync(status);
                return 0;
            }

            await Console.Error.WriteLineAsync($"health: {url} is not ready: {status}{(detail is null ? "" : $". {detail}")}");
            return NotReady;
        }
        catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync($"health: {url} does not answer: {(fault is TaskCanceledException ? $"nothing came within {timeout} s" : fault.Message)}");
            return Unreachable;
        }
    }

    /// <summary>What a server says of itself; one that is no Glimmer says something else.</summary>
    private static (string Status, string? Detail) Read(string text)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(text);
            JsonElement root = json.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("status", out JsonElement status) && status.ValueKind == JsonValueKind.String)
                return (status.GetString()!, root.TryGetProperty("detail", out JsonElement detail) && detail.ValueKind == JsonValueKind.String ? detail.GetString() : null);
        }
        catch (JsonException)
        {
            // Told as what it is.
        }

        return ("unknown", null);
    }
}
