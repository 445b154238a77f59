using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Glimmer.Server.Hosting;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Transport;

/// <summary>The server with a certificate of its own.</summary>
public sealed class TlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-tls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("pem")]
    [InlineData("one file")]
    [InlineData("encrypted")]
    [InlineData("pfx")]
    public async Task Both_versions_stream_over_tls(string form)
    {
        GlimmerOptions certified = Write(form, "first");
        await using ServerHarness harness = await ServerHarness.StartAsync(options => options with { Certificate = certified.Certificate, CertificateKey = certified.CertificateKey, CertificatePassword = certified.CertificatePassword });
        Assert.Equal("https", harness.Server.Addresses[0].Scheme);
        foreach (Version version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using (HttpClient client = Client(harness, "CN=first"))
            using (var request = new HttpRequestMessage(HttpMethod.Post, "/api/paas/v4/chat/completions") { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact })
            {
                request.Content = new StringContent("""{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""", Encoding.UTF8, "application/json");
                using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
                Assert.Equal((HttpStatusCode.OK, version), (response.StatusCode, response.Version));
                Assert.EndsWith("data: [DONE]\n\n", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task A_renewed_certificate_counts_from_the_next_connection_on_and_a_broken_one_never()
    {
        GlimmerOptions certified = Write("pem", "first");
        var time = new Clock();
        var source = new CertificateSource(certified, time);
        Assert.Equal("CN=first", source.Current.TargetCertificate.Subject);
        Write("pem", "second");
        File.SetLastWriteTimeUtc(certified.Certificate, DateTime.UtcNow.AddMinutes(1));
        Assert.Equal("CN=first", source.Current.TargetCertificate.Subject);
        time.Now += CertificateSource.LookAfter;
        Assert.Equal("CN=second", source.Current.TargetCertificate.Subject);
        await File.WriteAllTextAsync(certified.Certificate, "-----BEGIN CERT", TestContext.Current.CancellationToken);
        File.SetLastWriteTimeUtc(certified.Certificate, DateTime.UtcNow.AddMinutes(2));
        time.Now += CertificateSource.LookAfter;
        Assert.Equal("CN=second", source.Current.TargetCertificate.Subject);
        Write("pem", "third");
        File.SetLastWriteTimeUtc(certified.Certificate, DateTime.UtcNow.AddMinutes(3));
        time.Now += CertificateSource.LookAfter;
        Assert.Equal("CN=third", source.Current.TargetCertificate.Subject);
    }

    [Theory]
    [InlineData("absent.pem", "")]
    [InlineData("garbage.pem", "not a certificate")]
    [InlineData("garbage.pfx", "not a certificate")]
    public void What_is_no_certificate_stops_the_start_and_names_the_setting(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        if (content.Length > 0)
            File.WriteAllText(path, content);
        GlimmerStartupException fault = Assert.Throws<GlimmerStartupException>(() => new CertificateSource(new GlimmerOptions { Certificate = path }, TimeProvider.System));
        Assert.Contains("Listen:Certificate", fault.Message, StringComparison.Ordinal);
        Assert.Contains(name, fault.Message, StringComparison.Ordinal);
    }

    private GlimmerOptions Write(string form, string name)
    {
        const string Password = "open sesame";
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        string certificate = Path.Combine(_folder, form == "pfx" ? "own.pfx" : "own.pem"), keyFile = Path.Combine(_folder, "own.key");
        switch (form)
        {
            case "pfx":
                File.WriteAllBytes(certificate, made.Export(X509ContentType.Pkcs12, Password));
                return new GlimmerOptions { Certificate = certificate, CertificatePassword = Password };
            case "one file":
                File.WriteAllText(certificate, made.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
                return new GlimmerOptions { Certificate = certificate };
            case "encrypted":
                File.WriteAllText(certificate, made.ExportCertificatePem());
                File.WriteAllText(keyFile, key.ExportEncryptedPkcs8PrivateKeyPem(Password, new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
                return new GlimmerOptions { Certificate = certificate, CertificateKey = keyFile, CertificatePassword = Password };
            default:
                File.WriteAllText(certificate, made.ExportCertificatePem());
                File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
                return new GlimmerOptions { Certificate = certificate, CertificateKey = keyFile };
        }
    }

    /// <summary>A client that trusts the certificate of a name alone: the test has made it itself.</summary>
    private static HttpClient Client(ServerHarness harness, string subject) => new(new SocketsHttpHandler
    {
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Subject == subject },
    })
    {
        BaseAddress = harness.Server.Addresses[0],
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", harness.Key) },
    };

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; } = TimeSpan.FromHours(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
