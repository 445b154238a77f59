using System.Text;
using System.Text.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Tests.Transport;

public sealed class PooledBodyTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(300_000)]
    public void What_is_written_is_kept_in_order(int characters)
    {
        string text = string.Concat(Enumerable.Range(0, characters).Select(i => (char)('a' + (i % 26))));
        using var body = new PooledBody();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartArray();
            foreach (char[] piece in text.Chunk(1000))
                json.WriteStringValue(piece);
            json.WriteEndArray();
        }

        Assert.Equal(JsonSerializer.Serialize(text.Chunk(1000).Select(piece => new string(piece))), Encoding.UTF8.GetString(body.Written.Span));
    }

    [Fact]
    public void It_takes_no_more_than_there_is_room_for()
    {
        using var body = new PooledBody();
        int room = body.GetSpan().Length;
        Assert.Throws<ArgumentOutOfRangeException>(() => body.Advance(room + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => body.Advance(-1));
        Assert.True(body.GetMemory(room + 1).Length > room);
    }
}
