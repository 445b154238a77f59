using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Glimmer.Server.Hosting;

/// <summary>
/// The server's certificate, from its files. A renewed one counts from the next connection on, at most <see cref="LookAfter"/> after it was written; one that cannot be
/// read leaves the old one in force and is told in the log.
/// </summary>
internal sealed partial class CertificateSource
{
    /// <summary>How often the files are looked at.</summary>
    public static readonly TimeSpan LookAfter = TimeSpan.FromSeconds(30);

    private readonly GlimmerOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _reading = new();
    private ILogger? _log;
    private long _lookedAt;
    private (DateTime Certificate, DateTime Key) _stamp;
    private volatile SslStreamCertificateContext _current;

    /// <summary>Reads the files.</summary>
    /// <exception cref="GlimmerStartupException">They cannot be read, or hold no certificate with its key.</exception>
    public CertificateSource(GlimmerOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _lookedAt = time.GetTimestamp();
        _stamp = Stamp();
        try
        {
            _current = Read();
        }
        catch (Exception fault) when (fault is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new GlimmerStartupException($"The certificate {options.Certificate} cannot be used: {fault.Message} Check Glimmer:Listen:Certificate, Glimmer:Listen:CertificateKey and Glimmer:Listen:CertificatePassword.", 78, fault);
        }
    }

    /// <summary>The certificate in force.</summary>
    public SslStreamCertificateContext Current
    {
        get
        {
            if (_time.GetElapsedTime(Volatile.Read(ref _lookedAt)) >= LookAfter)
                Look();
            return _current;
        }
    }

    /// <summary>Where faults of a renewal are told.</summary>
    public void LogTo(ILogger log) => _log = log;

    /// <summary>How connections are made: HTTP/2 where the client can, else HTTP/1.1.</summary>
    public TlsHandshakeCallbackOptions Handshake() => new()
    {
        OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
        {
            ServerCertificateContext = Current,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        }),
    };

    private void Look()
    {
        // One connection looks; the others go on with what is known.
        if (!_reading.TryEnter())
            return;
        try
        {
            Volatile.Write(ref _lookedAt, _time.GetTimestamp());
            (DateTime Certificate, DateTime Key) stamp = Stamp();
            if (stamp == _stamp)
                return;
            _current = Read();
            _stamp = stamp;
        }
        catch (Exception fault) when (fault is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            // It may be half written: it is tried again at the next look.
            if (_log is not null)
                Log.NotRenewed(_log, fault.Message);
        }
        finally
        {
            _reading.Exit();
        }
    }

    private (DateTime Certificate, DateTime Key) Stamp() =>
        (File.GetLastWriteTimeUtc(_options.Certificate), _options.CertificateKey.Length > 0 ? File.GetLastWriteTimeUtc(_options.CertificateKey) : default);

    private SslStreamCertificateContext Read()
    {
        string password = _options.CertificatePassword;
        X509Certificate2Collection chain = [];
        X509Certificate2 own;
        if (Path.GetExtension(_options.Certificate).ToLowerInvariant() is ".pfx" or ".p12")
        {
            chain = X509CertificateLoader.LoadPkcs12CollectionFromFile(_options.Certificate, password);
            own = chain.FirstOrDefault(static one => one.HasPrivateKey) ?? throw new CryptographicException("It holds no private key.");
            chain.Remove(own);
        }
        else
        {
            string key = _options.CertificateKey.Length > 0 ? _options.CertificateKey : _options.Certificate;
            own = password.Length > 0 ? X509Certificate2.CreateFromEncryptedPemFile(_options.Certificate, password, key) : X509Certificate2.CreateFromPemFile(_options.Certificate, key);
            chain.ImportFromPemFile(_options.Certificate);
        }

        return SslStreamCertificateContext.Create(own, chain, offline: true);
    }

    private static partial class Log
    {
        [LoggerMessage(1007, LogLevel.Error, "The renewed certificate cannot be used, the old one stays in force: {Fault}")]
        public static partial void NotRenewed(ILogger log, string fault);
    }
}
