using System.Buffers.Binary;
using System.Text;
using Glimmer.Platform.Store;
using Npgsql;

namespace Glimmer.Platform.Tests.Store;

public sealed class CopyRowsTests
{
    [Fact]
    public async Task Rows_are_those_of_the_query()
    {
        Assert.SkipWhen(Glimmer.Testing.PostgresServer.Missing is not null, Glimmer.Testing.PostgresServer.Missing ?? "");
        using var test = new TestStore(StoreKind.Postgres);
        await using PlatformStore store = test.Open();
        int length = 300_000;
        store.Read(session =>
        {
            using var rows = new CopyRows(
                (NpgsqlConnection)session.Connection,
                $"SELECT n::bigint, n::int, (n % 7)::smallint, CASE WHEN n % 3 = 0 THEN NULL ELSE 'é' || n END, CASE WHEN n = 5 THEN decode(repeat('ab', {length}), 'hex') ELSE ''::bytea END FROM generate_series(-1, 5000) AS n ORDER BY 1",
                5);
            for (int i = -1; i <= 5000; i++)
            {
                Assert.True(rows.Next());
                Assert.Equal(i, rows.Number(0));
                Assert.Equal(i, rows.Number(1));
                Assert.Equal(i % 7, rows.Number(2));
                Assert.Equal(i % 3 == 0 ? null : $"é{i}", rows.Text(3));
                Assert.Equal(i == 5 ? length : 0, rows.Bytes(4).Length);
            }

            Assert.False(rows.Next());
            return true;
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1 << 20)]
    public void Pieces_of_any_size_give_the_same_rows(int most)
    {
        byte[] bytes = Rows(["a", null, ""], [new string('x', 200_000), "b", "c"], ["d", "e", "f"]);
        using var rows = new CopyRows(new Pieces(bytes, most), 3);
        Assert.True(rows.Next());
        Assert.Equal("a", rows.Text(0));
        Assert.Null(rows.Text(1));
        Assert.Equal("", rows.Text(2));
        Assert.True(rows.Next());
        Assert.Equal(200_000, rows.Bytes(0).Length);
        Assert.Equal("c", rows.Text(2));
        Assert.True(rows.Next());
        Assert.Equal("d", rows.Text(0));
        Assert.False(rows.Next());
    }

    [Fact]
    public void What_is_no_copy_is_refused()
    {
        byte[] good = Rows(["a", "b", "c"]);
        for (int length = 0; length < good.Length; length++)
            Assert.Throws<InvalidDataException>(() => ReadAll(good[..length], 3));
        Assert.Throws<InvalidDataException>(() => ReadAll(good, 4));
        int seed = 7;
        for (int i = 0; i < 2000; i++)
        {
            byte[] bad = (byte[])good.Clone();
            bad[(seed = (seed * 1103515245) + 12345 & int.MaxValue) % bad.Length] ^= (byte)(1 << (i % 8));
            try
            {
                ReadAll(bad, 3);
            }
            catch (InvalidDataException)
            {
                // The one error there is.
            }
        }
    }

    private static void ReadAll(byte[] bytes, int columns)
    {
        using var rows = new CopyRows(new MemoryStream(bytes), columns);
        while (rows.Next())
        {
            for (int i = 0; i < columns; i++)
                _ = rows.Bytes(i).Length;
        }
    }

    private static byte[] Rows(params string?[][] rows)
    {
        List<byte> bytes = [.. "PGCOPY\n"u8, 0xFF, .. "\r\n\0"u8, 0, 0, 0, 0, 0, 0, 0, 0];
        foreach (string?[] row in rows)
        {
            bytes.AddRange([(byte)(row.Length >> 8), (byte)row.Length]);
            foreach (string? field in row)
            {
                byte[] length = new byte[4];
                BinaryPrimitives.WriteInt32BigEndian(length, field is null ? -1 : Encoding.UTF8.GetByteCount(field));
                bytes.AddRange(length);
                bytes.AddRange(Encoding.UTF8.GetBytes(field ?? ""));
            }
        }

        bytes.AddRange([0xFF, 0xFF]);
        return [.. bytes];
    }

    private sealed class Pieces(byte[] bytes, int most) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, most));
    }
}
