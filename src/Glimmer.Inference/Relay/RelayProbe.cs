using System.Globalization;
using System.Text.Json;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay.Errors;

namespace Glimmer.Inference.Relay;

/// <summary>Asks a service for its list of models, which costs nothing.</summary>
internal static class RelayProbe
{
    private const int MaxBytes = 4 << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Asks once.</summary>
    public static async Task<BackendProbe> RunAsync(Upstream upstream, WireForm form, BackendDefinition definition, TimeProvider time, CancellationToken cancel)
    {
        using CancellationTokenSource patience = new(Patience, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancel);
        try
        {
            using HttpResponseMessage response = await upstream.SendAsync(form.ModelsAddress, null, "application/json", ended.Token);
            byte[] body = await Upstream.ReadAsync(response, MaxBytes, ended.Token);
            return Judge(upstream, definition, response, body) with { Server = response.Headers.Server.ToString() is { Length: > 0 } server ? upstream.Secrets.Quote(server) : null };
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new BackendProbe(false, string.Create(CultureInfo.InvariantCulture, $"It did not answer in {Patience.TotalSeconds} seconds."));
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or ObjectDisposedException)
        {
            return new BackendProbe(false, $"It cannot be reached: {upstream.Secrets.Quote(fault.Message)}");
        }
    }

    private static BackendProbe Judge(Upstream upstream, BackendDefinition definition, HttpResponseMessage response, byte[] body)
    {
        int status = (int)response.StatusCode;
        if (response.IsSuccessStatusCode && IdsIn(body) is { } ids)
        {
            string[] missing = [.. definition.Models.Select(static model => model.Name ?? model.Code).Where(name => !ids.Contains(name)).Distinct(StringComparer.OrdinalIgnoreCase)];
            string detail = string.Create(CultureInfo.InvariantCulture, $"It lists {ids.Count} models");
            return new BackendProbe(true, missing.Length == 0 ? detail + "." : $"{detail}, but not {string.Join(", ", missing)}.");
        }

        UpstreamError said = UpstreamError.Read(status, body);
        string quote = upstream.Secrets.Quote(said.Message);
        string tail = quote.Length > 0 ? $": {quote}" : ".";
        if (response.IsSuccessStatusCode)
            return said.BusinessCode != 0 || said.Code is "401" or "403" ? new BackendProbe(false, $"It refuses ({said.Code}){tail}") : new BackendProbe(true, "It answers, but not with a list of models.");
        return status switch
        {
            401 or 403 => new BackendProbe(false, string.Create(CultureInfo.InvariantCulture, $"It refuses the key ({status}){tail}")),
            404 or 405 or 501 => new BackendProbe(true, string.Create(CultureInfo.InvariantCulture, $"It answers, but has no list of models ({status}). Check the path of its address if chats fail too.")),
            429 => new BackendProbe(true, $"It answers, but says that it is asked too often (429){tail}"),
            >= 300 and < 400 => new BackendProbe(false, string.Create(CultureInfo.InvariantCulture, $"It redirects ({status}), and redirects are not followed. Give the address that it redirects to.")),
            _ => new BackendProbe(false, string.Create(CultureInfo.InvariantCulture, $"It answers with {status}{tail}")),
        };
    }

    /// <summary>The ids in <c>{"data":[{"id":…}]}</c>; null when there is no such list.</summary>
    private static HashSet<string>? IdsIn(byte[] body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("data"u8, out JsonElement data) || data.ValueKind != JsonValueKind.Array)
                return null;
            HashSet<string> ids = new(StringComparer.OrdinalIgnoreCase);
            foreach (JsonElement model in data.EnumerateArray())
            {
                if (model.ValueKind == JsonValueKind.Object && model.TryGetProperty("id"u8, out JsonElement id) && id.ValueKind == JsonValueKind.String)
                    ids.Add(id.GetString()!);
            }

            return ids;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
