using System.Net;
using Glimmer.Dialogue.Conversations;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Inference.Relay.Requests;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>No user leads a backend to what the backend reaches and the user must not.</summary>
public sealed class MediaAddressTests
{
    private const string Public = "https://example.com/a.png";

    [Theory]
    [InlineData("http://example.com")]
    [InlineData("https://a.b.example.com:8443/p?q=http://127.0.0.1/#x@y")]
    [InlineData("https://8.8.8.8/a.png")]
    [InlineData("HTTPS://EXAMPLE.COM/a%20b.png")]
    [InlineData("https://xn--bcher-kva.example.com/")]
    [InlineData("https://[2606:4700::1111]/a.png")]
    [InlineData("https://internal.example.com/")]
    [InlineData("https://example.com./")]
    public void Addresses_of_the_open_network_may_pass(string address) => Assert.Null(PublicAddress.ProblemOf(address));

    [Theory]
    [InlineData("http://127.0.0.1/")]
    [InlineData("http://127.1/")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0x7f000001/")]
    [InlineData("http://0x7f.0.0.1/")]
    [InlineData("http://0177.0.0.1/")]
    [InlineData("http://017700000001/")]
    [InlineData("http://127.0.0.1./")]
    [InlineData("http://0/")]
    [InlineData("http://10.1.2.3/")]
    [InlineData("http://100.64.0.1/")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://2852039166/latest/meta-data/")]
    [InlineData("http://172.31.255.255/")]
    [InlineData("http://192.168.0.1/")]
    [InlineData("http://198.19.0.1/")]
    [InlineData("http://224.0.0.1/")]
    [InlineData("http://255.255.255.255/")]
    [InlineData("http://[::1]/")]
    [InlineData("http://[::]/")]
    [InlineData("http://[::127.0.0.1]/")]
    [InlineData("http://[::ffff:127.0.0.1]/")]
    [InlineData("http://[::ffff:a9fe:a9fe]/")]
    [InlineData("http://[64:ff9b::a9fe:a9fe]/")]
    [InlineData("http://[2002:7f00:1::]/")]
    [InlineData("http://[2001:0:7f00:1::]/")]
    [InlineData("http://[fe80::1]/")]
    [InlineData("http://[fe80::1%25eth0]/")]
    [InlineData("http://[fd00:ec2::254]/")]
    [InlineData("http://localhost/")]
    [InlineData("http://LOCALHOST./")]
    [InlineData("http://a.localhost/")]
    [InlineData("http://printer.local/")]
    [InlineData("http://metadata.google.internal/")]
    [InlineData("http://redis:6379/")]
    [InlineData("http://example.123/")]
    [InlineData("http://example.0x7f/")]
    [InlineData("http://user:key@example.com/")]
    [InlineData("http://example.com@127.0.0.1/")]
    [InlineData("http://127.0.0.1\\@example.com/")]
    [InlineData("http://example.com\\@127.0.0.1/")]
    [InlineData("http://127.0.0.1%2f@example.com/")]
    [InlineData("http://127%2e0.0.1/")]
    [InlineData("http://１２７.０.０.１/")]
    [InlineData("http://ⓛocalhost/")]
    [InlineData("http://example。com/")]
    [InlineData("http:///127.0.0.1/")]
    [InlineData("http:127.0.0.1")]
    [InlineData("https:/127.0.0.1")]
    [InlineData(" http://example.com/")]
    [InlineData("http://example.com/\r\nHost: x")]
    [InlineData("file:///etc/passwd")]
    [InlineData("ftp://example.com/")]
    [InlineData("gopher://example.com/")]
    [InlineData("http://")]
    [InlineData("")]
    public void What_may_lead_inside_may_not(string address) => Assert.NotNull(PublicAddress.ProblemOf(address));

    [Fact]
    public void Long_addresses_may_not() => Assert.NotNull(PublicAddress.ProblemOf("https://example.com/" + new string('a', 8192)));

    [Theory]
    [InlineData("1.1.1.1", true)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("2a00:1450::1", true)]
    [InlineData("fe80::1%3", false)]
    public void Machines_are_told_apart(string address, bool open) => Assert.Equal(open, PublicAddress.IsPublic(IPAddress.Parse(address)));

    [Theory]
    [InlineData(BackendKind.Vllm, null, Public, false)]
    [InlineData(BackendKind.SGLang, null, Public, false)]
    [InlineData(BackendKind.LlamaServer, null, Public, false)]
    [InlineData(BackendKind.Vllm, null, "data:image/png;base64,iVBORw0KGgo=", true)]
    [InlineData(BackendKind.Vllm, null, "iVBORw0KGgo=", true)]
    [InlineData(BackendKind.Vllm, MediaAddresses.Public, Public, true)]
    [InlineData(BackendKind.Vllm, MediaAddresses.Public, "http://10.0.0.1/a.png", false)]
    [InlineData(BackendKind.Vllm, MediaAddresses.Any, "http://10.0.0.1/a.png", true)]
    [InlineData(BackendKind.Vllm, MediaAddresses.Any, "file:///etc/passwd", false)]
    [InlineData(BackendKind.Vllm, MediaAddresses.Any, " file:///etc/passwd", false)]
    [InlineData(BackendKind.OpenAI, null, Public, true)]
    [InlineData(BackendKind.OpenAI, null, "http://169.254.169.254/", false)]
    [InlineData(BackendKind.OpenAI, MediaAddresses.None, Public, false)]
    [InlineData(BackendKind.Zai, null, "http://[::1]/", false)]
    [InlineData(BackendKind.Anthropic, null, "http://localhost/", false)]
    public async Task Backends_are_handed_what_they_may_fetch(BackendKind kind, MediaAddresses? allowed, string source, bool passes)
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(kind == BackendKind.Anthropic ? "" : Chunks("stop", """{"content":"ok"}"""));
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, kind) with { MediaAddresses = allowed }, TimeProvider.System, new LogLines());
        ChatRequest request = Ask() with { Conversation = new Conversation([new ChatMessage { Role = ChatRole.User, Content = [new TextPart("What is it?"), new MediaPart(MediaKind.Image, source)] }], [], new RenderOptions()) };
        Told told = await AskAsync(backend, request);
        if (passes)
        {
            Assert.Single(upstream.Requests);
            return;
        }

        Assert.Equal((StartFault.Request, "messages[0].content[1]"), (told.Start.Fault, told.Start.Error!.Field));
        Assert.Empty(upstream.Requests);
        Assert.Equal(BusinessCode.ParameterInvalid, (await Assert.ThrowsAsync<ChatRequestException>(async () => await backend.CountTokensAsync(request, default))).Error.Code);
    }
}
