using System.Text;
using System.Text.Json;
using Glimmer.Server.Hosting;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Hosting;

public sealed class JsonLogProviderTests
{
    [Fact]
    public void Lines_are_one_object_each_with_the_values_by_name()
    {
        using var output = new MemoryStream();
        var time = new DateTimeOffset(2026, 3, 1, 1, 2, 3, 456, TimeSpan.FromHours(8));
        using (var provider = new JsonLogProvider(output, new FixedTime(time), Eventually.Patience))
        {
            provider.CreateLogger("Glimmer.Server.X").Log(
                LogLevel.Information, new EventId(7, "Request"), (IReadOnlyList<KeyValuePair<string, object?>>)
                [
                    new("Model", "glm\n中"), new("Status", 200), new("Tokens", 5L), new("Ms", 1.5), new("Stream", true), new("None", null), new("{OriginalFormat}", "x"),
                ],
                null, static (_, _) => "not written");
            provider.CreateLogger("Microsoft.Y").Log(LogLevel.Warning, new EventId(1), "state", new InvalidOperationException("secret words"), static (state, _) => $"text of {state}");
        }

        string[] lines = Encoding.UTF8.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Equal(
            """{"time":"2026-02-28T17:02:03.456Z","level":"Information","event":"Request","id":7,"Model":"glm\n中","Status":200,"Tokens":5,"Ms":1.5,"Stream":true,"None":null}""",
            lines[0]);
        JsonElement second = JsonDocument.Parse(lines[1]).RootElement;
        Assert.StartsWith("text of state System.InvalidOperationException", second.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret words", lines[1]);
    }

    [Fact]
    public void A_reader_that_has_gone_does_not_stop_the_server()
    {
        using var provider = new JsonLogProvider(new BrokenStream(), TimeProvider.System);
        ILogger log = provider.CreateLogger("Glimmer");
        for (int i = 0; i < 20_000; i++)
            log.Log(LogLevel.Information, default, "x", null, static (state, _) => state);
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException("closed");
    }
}
