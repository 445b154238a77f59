using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;

namespace Glimmer.Platform.Accounts.Mail;

/// <summary>Where mails go.</summary>
public interface IMailSender
{
    /// <summary>Sends a mail, or throws.</summary>
    Task SendAsync(MailMessage mail, CancellationToken cancel);
}

/// <summary>Puts mails as files into a folder: the default, and for tests. Only its owner can read them.</summary>
/// <param name="folder">The folder; made when it is missing.</param>
/// <param name="from">Address of the sender.</param>
/// <param name="time">Clock.</param>
public sealed class FileOutbox(string folder, string from, TimeProvider time) : IMailSender
{
    /// <inheritdoc/>
    public Task SendAsync(MailMessage mail, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        string id = $"{time.GetUtcNow().ToString("yyyyMMdd-HHmmss-fff", CultureInfo.InvariantCulture)}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
        Keys.PrivateFile.WriteAtomically(Path.Combine(folder, id + ".eml"), mail.ToBytes(from, time.GetUtcNow(), id));
        return Task.CompletedTask;
    }
}

/// <summary>Sends mails through an SMTP server: <c>smtp://user:password@host:587</c> (STARTTLS where offered) or <c>smtps://…:465</c>.</summary>
public sealed class SmtpSender : IMailSender
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(30);
    private readonly Uri _server;
    private readonly string _from;
    private readonly TimeProvider _time;

    /// <summary>With the server's address, which may hold user and password.</summary>
    public SmtpSender(Uri server, string from, TimeProvider time)
    {
        if (server.Scheme is not ("smtp" or "smtps"))
            throw new ArgumentException("Use smtp://host or smtps://host.", nameof(server));
        _server = server;
        _from = from;
        _time = time;
    }

    /// <inheritdoc/>
    public async Task SendAsync(MailMessage mail, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(_timeout);
        bool implicitTls = _server.Scheme == "smtps";
        using var socket = new TcpClient();
        await socket.ConnectAsync(_server.Host, _server.Port > 0 ? _server.Port : implicitTls ? 465 : 587, limit.Token);
        Stream stream = socket.GetStream();
        if (implicitTls)
            stream = await EncryptAsync(stream, limit.Token);
        var talk = new SmtpTalk(stream, limit.Token);
        await talk.ExpectAsync(220);
        string features = await talk.SayAsync("EHLO glimmer.invalid", 250);
        bool encrypted = implicitTls;
        if (!implicitTls && features.Contains("STARTTLS", StringComparison.OrdinalIgnoreCase))
        {
            await talk.SayAsync("STARTTLS", 220);
            stream = await EncryptAsync(stream, limit.Token);
            encrypted = true;
            talk = new SmtpTalk(stream, limit.Token);
            await talk.SayAsync("EHLO glimmer.invalid", 250);
        }

        await using (stream)
        {
            if (_server.UserInfo.Length > 0)
            {
                // A password is never said aloud, whatever the server offers.
                if (!encrypted && !_server.IsLoopback)
                    throw new IOException("The SMTP server offers no encryption, so the password was not sent. Use smtps://, or a server with STARTTLS.");
                string[] parts = _server.UserInfo.Split(':', 2);
                string user = Uri.UnescapeDataString(parts[0]);
                string password = parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : "";
                await talk.SayAsync("AUTH PLAIN " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"\0{user}\0{password}")), 235);
            }

            await talk.SayAsync($"MAIL FROM:<{_from}>", 250);
            await talk.SayAsync($"RCPT TO:<{mail.To}>", 250);
            await talk.SayAsync("DATA", 354);
            await stream.WriteAsync(mail.ToBytes(_from, _time.GetUtcNow(), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))), limit.Token);
            await talk.SayAsync(".", 250);
            await talk.SayAsync("QUIT", 221);
        }
    }

    private async Task<SslStream> EncryptAsync(Stream stream, CancellationToken cancel)
    {
        var encrypted = new SslStream(stream);
        await encrypted.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = _server.Host }, cancel);
        return encrypted;
    }

    private sealed class SmtpTalk(Stream stream, CancellationToken cancel)
    {
        private readonly byte[] _one = new byte[1];

        public async Task<string> SayAsync(string line, int code)
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"), cancel);
            return await ExpectAsync(code);
        }

        public async Task<string> ExpectAsync(int code)
        {
            var answer = new StringBuilder();
            while (true)
            {
                string line = await LineAsync();
                answer.Append(line).Append('\n');
                if (answer.Length > 16_384)
                    throw new IOException("The SMTP server's answer is too long.");
                if (line.Length >= 4 && line[3] == '-')
                    continue;
                return line.StartsWith(code.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal) ? answer.ToString() : throw new IOException($"The SMTP server answered: {line}");
            }
        }

        // Byte by byte: after STARTTLS nothing that was read ahead in plain text may be left.
        private async Task<string> LineAsync()
        {
            var line = new StringBuilder();
            while (await stream.ReadAsync(_one, cancel) == 1)
            {
                if (_one[0] == '\n')
                    return line.ToString().TrimEnd('\r');
                if (line.Append((char)_one[0]).Length > 4096)
                    throw new IOException("The SMTP server's answer is too long.");
            }

            throw new IOException("The SMTP server hung up.");
        }
    }
}

/// <summary>Sends in the background, so that no answer tells by its time whether a mail was sent. Tries three times.</summary>
internal sealed class MailQueue : IAsyncDisposable
{
    private readonly Channel<MailMessage> _channel = Channel.CreateBounded<MailMessage>(1000);
    private readonly CancellationTokenSource _stop = new();
    private readonly IMailSender _sender;
    private readonly TimeSpan _pause;
    private readonly Task _loop;

    public MailQueue(IMailSender sender, TimeSpan? pause = null)
    {
        _sender = sender;
        _pause = pause ?? TimeSpan.FromSeconds(5);
        _loop = Task.Run(LoopAsync);
    }

    /// <summary>Called when a mail could not be sent.</summary>
    public Action<Exception>? Failed { get; set; }

    /// <summary>Gives a mail; false when too many wait.</summary>
    public bool TryPost(MailMessage mail) => _channel.Writer.TryWrite(mail);

    public async ValueTask DisposeAsync()
    {
        if (!_channel.Writer.TryComplete())
            return;
        _stop.CancelAfter(TimeSpan.FromSeconds(5));
        await _loop;
        _stop.Dispose();
    }

    private async Task LoopAsync()
    {
        await foreach (MailMessage mail in _channel.Reader.ReadAllAsync())
        {
            for (int attempt = 1; ; attempt++)
            {
                try
                {
                    await _sender.SendAsync(mail, _stop.Token);
                    break;
                }
                catch (Exception fault)
                {
                    if (attempt == 3 || _stop.IsCancellationRequested)
                    {
                        Failed?.Invoke(fault);
                        break;
                    }

                    await Task.Delay(_pause * attempt, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }
    }
}
