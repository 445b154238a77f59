using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tests.Store;

public sealed class StoreStatementTests
{
    private const string Insert = "INSERT INTO things (number, text, bytes, share) VALUES (@p0, @p1, @p2, @p3)";

    [Theory, EachStore]
    public async Task What_was_set_is_what_is_stored(StoreKind kind)
    {
        using var test = new TestStore(kind);
        await using PlatformStore store = test.Open();
        Create(store);
        string longText = string.Concat(Enumerable.Repeat("长文本 \0… ", 300)).Replace("\0", "", StringComparison.Ordinal);
        (long? Number, string? Text, byte[]? Bytes, double Share)[] rows =
        [
            (0, "", [], 0), (null, null, null, -1.5), (long.MinValue, "a'b\"c", [0, 255], double.Epsilon), (long.MaxValue, longText, new byte[5000], 1e300), (7, "é", [1], 0.1),
        ];
        store.Write(session =>
        {
            foreach ((long? number, string? text, byte[]? bytes, double share) in rows)
                Assert.Equal(1, session.Statement(Insert).With(number).With(text).With(bytes).With(share).Execute());
        });
        List<(long? Number, string? Text, byte[]? Bytes, double Share)> read = store.Read(session => session.List<(long?, string?, byte[]?, double)>("SELECT number, text, bytes, share FROM things ORDER BY id"));
        Assert.Equal(rows.Length, read.Count);
        for (int i = 0; i < rows.Length; i++)
        {
            Assert.Equal(rows[i].Number, read[i].Number);
            Assert.Equal(rows[i].Text, read[i].Text);
            Assert.Equal(rows[i].Bytes, read[i].Bytes);
            Assert.Equal(rows[i].Share, read[i].Share);
        }
    }

    [Theory, EachStore]
    public async Task A_scalar_is_the_first_column_of_the_first_row(StoreKind kind)
    {
        using var test = new TestStore(kind);
        await using PlatformStore store = test.Open();
        Create(store);
        store.Write(session =>
        {
            session.Statement(Insert).With(5).With("five").With((byte[]?)null).With(0.5).Execute();
            session.Statement(Insert).With(6).With("six").With([9]).With(0.5).Execute();
            Assert.Equal(5L, session.Statement("SELECT number FROM things ORDER BY number").Scalar());
            Assert.Equal("six", session.Statement("SELECT text FROM things WHERE number = @p0").With(6).Scalar());
            Assert.Equal(0.5, session.Statement("SELECT share FROM things WHERE number = @p0").With(6).Scalar());
            Assert.Equal(new byte[] { 9 }, session.Statement("SELECT bytes FROM things WHERE number = @p0").With(6).Scalar());
            Assert.Null(session.Statement("SELECT bytes FROM things WHERE number = @p0").With(5).Scalar());
            Assert.Null(session.Statement("SELECT number FROM things WHERE number = @p0").With(77).Scalar());
            Assert.Equal(2, session.Statement("UPDATE things SET number = number + @p0").With(1).Execute());
            Assert.Equal(7L, session.Statement("UPDATE things SET number = number + 1 WHERE number = @p0 RETURNING number").With(6).Scalar());
        });
        Assert.Equal([7, 7], store.Read(session => session.List<long>("SELECT number FROM things ORDER BY id")));
    }

    [Theory, EachStore]
    public async Task A_parameter_used_twice_is_set_once(StoreKind kind)
    {
        using var test = new TestStore(kind);
        await using PlatformStore store = test.Open();
        Create(store);
        store.Write(session => session.Statement(Insert).With(5).With("x").With((byte[]?)null).With(0).Execute());
        store.Write(session => Assert.Equal(1, session.Statement("UPDATE things SET number = @p0 WHERE text = @p1 AND number < @p0").With(8).With("x").Execute()));
        Assert.Equal([8], store.Read(session => session.List<long>("SELECT number FROM things")));
    }

    [Fact]
    public async Task A_statement_that_failed_can_be_used_again()
    {
        using var test = new TestStore(StoreKind.Sqlite);
        await using PlatformStore store = test.Open();
        Create(store);
        store.Write(session =>
        {
            const string sql = "INSERT INTO things (id, number) VALUES (@p0, @p1)";
            session.Statement(sql).With(1).With(1).Execute();
            Assert.ThrowsAny<System.Data.Common.DbException>(() => session.Statement(sql).With(1).With(2).Execute());
            Assert.Throws<InvalidOperationException>(() => session.Statement(sql).With(3).Execute());
            Assert.Throws<InvalidOperationException>(() => session.Statement(sql).With(3).With(3).With(3));
            session.Statement(sql).With(2).With(2).Execute();
        });
        Assert.Equal([1, 2], store.Read(session => session.List<long>("SELECT number FROM things ORDER BY id")));
    }

    private static void Create(PlatformStore store) => store.Write(session => session.Execute(
        store.Kind == StoreKind.Sqlite
            ? "CREATE TABLE things (id INTEGER PRIMARY KEY, number INTEGER, text TEXT, bytes BLOB, share REAL)"
            : "CREATE TABLE things (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, number BIGINT, text TEXT, bytes BYTEA, share DOUBLE PRECISION)"));
}
