using System.Net;
using System.Net.Sockets;
using System.Text;
using Glimmer.Platform.Accounts.Mail;

namespace Glimmer.Platform.Tests.Accounts.Mail;

public sealed class MailTests
{
    [Theory]
    [InlineData("Ada.L+x@Example.Com", "ada.l+x@example.com")]
    [InlineData("a@localhost", "a@localhost")]
    [InlineData("o'brien@x.org", "o'brien@x.org")]
    [InlineData("a@b@c.d", null)]
    [InlineData("@x.org", null)]
    [InlineData("a@", null)]
    [InlineData("a@x..org", null)]
    [InlineData(".a@x.org", null)]
    [InlineData("a@-x.org", null)]
    [InlineData("a b@x.org", null)]
    [InlineData("a@x.org\r\nBcc: b@x.org", null)]
    [InlineData("a@x.org>", null)]
    [InlineData("ä@x.org", null)]
    [InlineData("", null)]
    public void Addresses_are_read_strictly(string text, string? address) => Assert.Equal(address, MailAddressRule.Normalise(text));

    [Fact]
    public void A_mail_is_whole_and_ascii()
    {
        var mail = new MailMessage("a@x.org", "重置您的密码 " + new string('ä', 80) + "\r\nBcc: evil@x.org", "Hällo\n.\n" + new string('x', 300));
        byte[] bytes = mail.ToBytes("no-reply@glm.org", new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero), "id");
        Assert.All(bytes, b => Assert.InRange(b, (byte)9, (byte)126));
        string text = Encoding.ASCII.GetString(bytes);
        string[] lines = text.Split("\r\n");
        Assert.All(lines, line => Assert.InRange(line.Length, 0, 78));
        Assert.DoesNotContain(lines, line => line.StartsWith('.') || line.StartsWith("Bcc", StringComparison.Ordinal));
        Assert.Contains("Date: Sun, 01 Mar 2026 12:00:00 +0000", lines);
        string body = Encoding.UTF8.GetString(Convert.FromBase64String(string.Concat(lines.SkipWhile(line => line.Length > 0))));
        Assert.Equal(mail.Body.Replace("\n", "\r\n", StringComparison.Ordinal), body);
    }

    [Fact]
    public async Task The_outbox_is_private_files()
    {
        using var folder = new TemporaryFolder();
        await new FileOutbox(folder.File("outbox"), "no-reply@x.org", new ManualTime()).SendAsync(new MailMessage("a@x.org", "s", "b"), default);
        string file = Assert.Single(Directory.GetFiles(folder.File("outbox"), "*.eml"));
        Assert.Contains("To: <a@x.org>", File.ReadAllText(file));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    [Fact]
    public async Task A_mail_goes_through_smtp_with_login()
    {
        using var server = new FakeSmtp("250-hello\r\n250-AUTH PLAIN\r\n250 OK");
        await new SmtpSender(new Uri($"smtp://us%40er:p%3Ass@127.0.0.1:{server.Port}"), "no-reply@x.org", new ManualTime()).SendAsync(new MailMessage("a@x.org", "s", "body"), default);
        string talk = await server.Talk;
        Assert.Contains("AUTH PLAIN " + Convert.ToBase64String("\0us@er\0p:ss"u8), talk);
        Assert.Contains("MAIL FROM:<no-reply@x.org>\r\nRCPT TO:<a@x.org>\r\nDATA\r\n", talk);
        Assert.Contains(Convert.ToBase64String("body"u8), talk);
    }

    [Fact]
    public async Task A_refusing_server_is_told_and_the_queue_tries_three_times()
    {
        using var server = new FakeSmtp("554 go away");
        IOException fault = await Assert.ThrowsAsync<IOException>(() =>
            new SmtpSender(new Uri($"smtp://127.0.0.1:{server.Port}"), "no-reply@x.org", new ManualTime()).SendAsync(new MailMessage("a@x.org", "s", "b"), default));
        Assert.Contains("554", fault.Message);

        var sender = new Failing();
        var failed = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var queue = new MailQueue(sender, TimeSpan.FromMilliseconds(1)) { Failed = fault => failed.TrySetResult(fault) };
        Assert.True(queue.TryPost(new MailMessage("a@x.org", "s", "b")));
        await failed.Task.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(3, sender.Tries);
    }

    private sealed class Failing : IMailSender
    {
        public int Tries { get; private set; }

        public Task SendAsync(MailMessage mail, CancellationToken cancel)
        {
            Tries++;
            throw new IOException("no");
        }
    }

    /// <summary>Says yes to everything but the greeting's answer, and keeps what was said.</summary>
    private sealed class FakeSmtp : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

        public FakeSmtp(string hello)
        {
            _listener.Start();
            Talk = Task.Run(() => RunAsync(hello));
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public Task<string> Talk { get; }

        public void Dispose() => _listener.Dispose();

        private async Task<string> RunAsync(string hello)
        {
            using TcpClient client = await _listener.AcceptTcpClientAsync();
            using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
            var said = new StringBuilder();
            async Task Say(string text) => await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text + "\r\n"));
            await Say("220 fake");
            bool data = false;
            while (await reader.ReadLineAsync() is { } line)
            {
                said.Append(line).Append("\r\n");
                if (data && line != ".")
                    continue;
                data = line == "DATA";
                await Say(line.Split(' ')[0] switch { "EHLO" => hello, "AUTH" => "235 ok", "DATA" => "354 go on", "QUIT" => "221 bye", _ => "250 ok" });
                if (line == "QUIT")
                    break;
            }

            return said.ToString();
        }
    }
}
