using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary><c>glimmer serve</c> as a process: starts that fail, keys, and the way it stops.</summary>
public sealed partial class ServeTests : ProgramTests
{
    [Fact]
    public async Task A_port_in_use_is_named()
    {
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        string port = ((IPEndPoint)other.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        (await RunAsync("serve", "--port", port)).AssertOneClearLine(69, port, "in use", "Listen:Port");
    }

    [Theory]
    [InlineData("/proc/glimmer")]
    [InlineData("occupied")]
    public async Task A_data_folder_that_cannot_be_written_is_named(string folder)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || folder == "occupied", "There is no /proc here.");
        Write("occupied", "a file where a folder should be");
        (await RunAsync("serve", "--port", "0", "--data", folder)).AssertOneClearLine(73, folder, "DataFolder");
    }

    [Theory]
    [InlineData("GLIMMER__LISTEN__PORT", "x", "Listen:Port", "65535")]
    [InlineData("GLIMMER__LISTEN__PORT", "65536", "Listen:Port", "65535")]
    [InlineData("GLIMMER__LISTEN__FOO", "1", "Listen:FOO", "Listen:Port")]
    [InlineData("GLIMMER__ENGINE__THREADS", "many", "Engine:Threads", "1024")]
    [InlineData("GLIMMER__ENGINE__THREAD", "2", "Engine:THREAD", "Engine:Threads")]
    [InlineData("GLIMMER__LISTN__PORT", "1", "Glimmer:LISTN", "Glimmer:Listen")]
    [InlineData("GLIMMER__FOLDER", "x", "Glimmer:FOLDER", "Glimmer:DataFolder")]
    [InlineData("GLIMMER_KERNELS", "potato", "GLIMMER_KERNELS=potato", "scalar")]
    public async Task A_bad_setting_is_named_with_what_is_legal(string name, string value, params string[] parts) =>
        (await GlimmerProcess.RunAsync(Folder, ["serve"], null, (name, value))).AssertOneClearLine(78, parts);

    [Fact]
    public async Task An_appsettings_file_that_is_no_JSON_is_named()
    {
        Write("appsettings.json", "{ this is not JSON");
        (await RunAsync("serve", "--port", "0")).AssertOneClearLine(78, "appsettings.json");
    }

    [Fact]
    public async Task The_key_of_the_first_start_is_good_at_the_second_and_is_not_shown_again()
    {
        string key;
        await using (GlimmerProcess first = GlimmerProcess.Start(Folder, ["serve", "--port", "0"]))
        {
            await first.ReadyAsync();
            key = Key().Match(first.Output).Value;
            Assert.Equal(HttpStatusCode.OK, await ModelsAsync(first, key));
            first.Interrupt();
            Assert.Equal(0, (await first.EndAsync()).ExitCode);
        }

        await using GlimmerProcess second = GlimmerProcess.Start(Folder, ["serve", "--port", "0"]);
        await second.ReadyAsync();
        Assert.DoesNotContain(key, second.Output, StringComparison.Ordinal);
        Assert.DoesNotMatch(Key(), second.Output);
        Assert.Equal(HttpStatusCode.OK, await ModelsAsync(second, key));
        Assert.Equal(HttpStatusCode.Unauthorized, await ModelsAsync(second, key + "x"));
        second.Interrupt();
        ProgramRun end = await second.EndAsync();
        Assert.Equal(0, end.ExitCode);
        Assert.DoesNotContain(key.Split('.')[1], end.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupt_lets_a_running_stream_finish()
    {
        const int Tokens = 1500;
        await using GlimmerProcess server = GlimmerProcess.Start(Folder, ["serve", "--port", "0", "--threads", "1", "--set", "Shutdown:DrainSeconds=600"]);
        await server.ReadyAsync();
        using HttpClient client = Client(server, Key().Match(server.Output).Value);
        // A demand for a long list keeps the model talking to the end of max_tokens.
        string body = """
            {"model":"glimmer-tiny","stream":true,"max_tokens":TOKENS,"thinking":{"type":"disabled"},"messages":[{"role":"user","content":"Hello!"}],
             "response_format":{"type":"json_schema","json_schema":{"name":"long","schema":{"type":"array","items":{"type":"integer"},"minItems":2000}}}}
            """.Replace("TOKENS", Tokens.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        using HttpRequestMessage request = new(HttpMethod.Post, "/api/paas/v4/chat/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await using Stream stream = await response.Content.ReadAsStreamAsync();
        byte[] head = new byte[200];
        await stream.ReadExactlyAsync(head);

        server.Interrupt();

        SaidAnswer answer = await SaidAnswer.ReadStreamAsync(new JoinedStream(head, stream), CancellationToken.None);
        Assert.Equal(("length", Tokens), (answer.Finish, answer.CompletionTokens));
        ProgramRun end = await server.EndAsync();
        Assert.Equal(0, end.ExitCode);
        Assert.DoesNotContain("\"level\":\"Error\"", end.Errors, StringComparison.Ordinal);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync("/health/live"));
    }

    private static async Task<HttpStatusCode> ModelsAsync(GlimmerProcess server, string key)
    {
        using HttpClient client = Client(server, key);
        using HttpResponseMessage response = await client.GetAsync("/api/paas/v4/models");
        return response.StatusCode;
    }

    private static HttpClient Client(GlimmerProcess server, string key)
    {
        HttpClient client = new() { BaseAddress = new Uri(Address().Match(server.Output).Value), Timeout = TimeSpan.FromMinutes(2) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    [GeneratedRegex(@"http://[\d.]+:\d+", RegexOptions.NonBacktracking)]
    private static partial Regex Address();

    [GeneratedRegex(@"\b[0-9a-zA-Z]{16,}\.[0-9a-zA-Z]{16,}\b", RegexOptions.NonBacktracking)]
    private static partial Regex Key();

    /// <summary>Bytes already read, then the rest.</summary>
    private sealed class JoinedStream(byte[] head, Stream rest) : Stream
    {
        private int _given;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_given == head.Length)
                return await rest.ReadAsync(buffer, cancellationToken);
            int count = Math.Min(buffer.Length, head.Length - _given);
            head.AsMemory(_given, count).CopyTo(buffer);
            _given += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
