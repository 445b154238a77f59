using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>Another place to log in by does not answer as it should. The message is for the log; people see a plain refusal.</summary>
public sealed class ProviderException : Exception
{
    /// <summary>With what went wrong.</summary>
    public ProviderException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>
/// Talks to login providers: small JSON answers in bounded time, over https only (http on this machine), redirects never
/// followed, since requests carry secrets.
/// </summary>
internal sealed class ProviderClient : IDisposable
{
    private const int MaxAnswer = 1 << 20;
    private readonly HttpClient _http;

    public ProviderClient(HttpMessageHandler? handler = null)
    {
        _http = new HttpClient(handler ?? new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(5) })
        {
            Timeout = TimeSpan.FromSeconds(10),
            MaxResponseContentBufferSize = MaxAnswer,
        };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("glimmer");
        _http.DefaultRequestHeaders.Accept.ParseAdd("application/json");
    }

    /// <summary>An object or list.</summary>
    public Task<JsonElement> GetAsync(Uri address, string? token, CancellationToken cancel)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return SendAsync(request, cancel);
    }

    /// <summary>Posts a form.</summary>
    public Task<JsonElement> PostAsync(Uri address, IEnumerable<KeyValuePair<string, string>> form, (string User, string Password)? basic, CancellationToken cancel)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new FormUrlEncodedContent(form) };
        if (basic is { } login)
        {
            string text = $"{Uri.EscapeDataString(login.User)}:{Uri.EscapeDataString(login.Password)}";
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(text)));
        }

        return SendAsync(request, cancel);
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonElement> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        using (request)
        {
            Uri address = request.RequestUri!;
            if (!LoginProvider.IsSafe(address))
                throw new ProviderException($"{address.GetLeftPart(UriPartial.Path)} is not https.");
            try
            {
                using HttpResponseMessage response = await _http.SendAsync(request, cancel);
                byte[] content = await response.Content.ReadAsByteArrayAsync(cancel);
                if (!response.IsSuccessStatusCode)
                    throw new ProviderException($"{address.GetLeftPart(UriPartial.Path)} answered {(int)response.StatusCode}.");
                using JsonDocument document = JsonDocument.Parse(content, new JsonDocumentOptions { MaxDepth = 16 });
                return document.RootElement.Clone();
            }
            catch (Exception fault) when (fault is HttpRequestException or JsonException || (fault is TaskCanceledException && !cancel.IsCancellationRequested))
            {
                throw new ProviderException($"{address.GetLeftPart(UriPartial.Path)}: {fault.Message}", fault);
            }
        }
    }
}

/// <summary>Reading members of foreign JSON without trusting their kinds.</summary>
internal static class ForeignJson
{
    public static string? Text(this JsonElement element, string name, int longest = 4096) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String && TryGet(value) is { } text && text.Length <= longest ? text : null;

    public static bool IsTrue(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value)
        && (value.ValueKind == JsonValueKind.True || (value.ValueKind == JsonValueKind.String && value.ValueEquals("true")));

    private static string? TryGet(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;   // half of a surrogate pair
        }
    }
}
