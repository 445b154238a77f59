using System.Net.Sockets;
using System.Text;

namespace Glimmer.Load;

/// <summary>Something that answers chat completions over HTTP/1.1.</summary>
/// <param name="Name">For the report.</param>
/// <param name="Address">Where it listens.</param>
/// <param name="Path">Path of chat completions.</param>
/// <param name="Headers">Header lines, each with its line end.</param>
internal sealed record Target(string Name, Uri Address, string Path, string Headers)
{
    /// <summary>Number of its process, where what it costs is to be told; 0 for none.</summary>
    public int Process { get; init; }

    public static Target Glimmer(string name, Uri address, string key) => new(name, address, "/v1/chat/completions", $"Authorization: Bearer {key}\r\n");

    public async Task<Socket> ConnectAsync()
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(Address.Host, Address.Port);
        return socket;
    }

    /// <summary>A request's bytes.</summary>
    public byte[] Request(string question, bool stream, int maxTokens = 0, string model = "glm-4.7")
    {
        string body = $$"""{"model":"{{model}}","stream":{{(stream ? "true,\"stream_options\":{\"include_usage\":true}" : "false")}}{{(maxTokens > 0 ? $",\"max_tokens\":{maxTokens}" : "")}},"messages":[{"role":"user","content":"{{question}}"}]}""";
        return Request(body);
    }

    /// <summary>The bytes of a request with a body of one's own.</summary>
    public byte[] Request(string body) =>
        Encoding.UTF8.GetBytes($"POST {Path} HTTP/1.1\r\nHost: {Address.Authority}\r\n{Headers}Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");
}
