using Glimmer.Kernels.Formats;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Weights;

public sealed class GgufFileTests
{
    [Fact]
    public void Reads_the_bundled_model()
    {
        using GgufFile file = GgufFile.Open(Fixtures.BundledModel);
        Assert.Equal("glm4moe", file.Architecture);
        Assert.Equal(3, file.Version);
        Assert.True(file.Metadata.GetStrings("tokenizer.ggml.tokens").Count > 100);
        Assert.True(file.TryGet("token_embd.weight", out StoredTensor? embedding));
        Assert.Equal(2, embedding.Shape.Length);
        Assert.Equal(file.Metadata.GetInt32("glm4moe.embedding_length"), embedding.Shape[1]);
        Assert.Equal(BlockCodecs.For(embedding.Format).BytesFor(embedding.Count), embedding.ByteLength);
        Assert.All(embedding.ToFloats(), value => Assert.True(float.IsFinite(value)));
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    public void Shapes_are_outermost_first_and_values_as_stored(uint version)
    {
        byte[] data = [.. Enumerable.Range(0, 6).SelectMany(i => BitConverter.GetBytes((float)i))];
        using GgufFile file = GgufFile.FromMemory("m", new GgufBytes { Version = version }
            .Key("general.architecture", "glm4").Tensor("w", 0, [3, 2], data).Floats("b", 7, 8).ToArray());
        Assert.True(file.TryGet("w", out StoredTensor? w));
        Assert.Equal([2, 3], w.Shape);
        Assert.Equal([0, 1, 2, 3, 4, 5], w.ToFloats());
        Assert.True(file.TryGet("b", out StoredTensor? b));
        Assert.Equal([7, 8], b.ToFloats());
        Assert.False(file.TryGet("c", out _));
        Assert.Equal(["w", "b"], file.Names);
    }

    [Fact]
    public void Metadata_is_typed_and_says_what_it_found()
    {
        using GgufFile file = GgufFile.FromMemory("m.gguf", new GgufBytes()
            .Key("s", "grün").Key("u8", 0, 200).Key("i8", 1, 0xFF).Key("u16", (ushort)65535).Key("u32", 4_000_000_000u)
            .Key("i64", 11, BitConverter.GetBytes(-5L)).Key("u64", 10, BitConverter.GetBytes(ulong.MaxValue))
            .Key("f32", 6, BitConverter.GetBytes(1.5f)).Key("f64", 12, BitConverter.GetBytes(2.5)).Key("yes", 7, 1).Key("odd", 7, 2)
            .Strings("names", "a", "", "ß").Array("ints", 3, 2, 1, 0, 0xFE, 0xFF).Array("flags", 7, 3, 1, 0, 1)
            .Array("floats", 6, 2, [.. BitConverter.GetBytes(0.5f), .. BitConverter.GetBytes(-2f)])
            .Array("nested", 9, 1, [.. BitConverter.GetBytes(4u), .. BitConverter.GetBytes(1ul), 1, 0, 0, 0]).Key("after", "x").ToArray());
        GgufMetadata m = file.Metadata;
        Assert.Equal("grün", m.GetString("s"));
        Assert.Equal(200, m.GetInt32("u8"));
        Assert.Equal(-1, m.GetInt32("i8"));
        Assert.Equal(65535, m.GetInt32("u16"));
        Assert.Equal(4_000_000_000, m.GetInt64("u32"));
        Assert.Equal(-5, m.GetInt64("i64"));
        Assert.Equal(1.5f, m.GetSingle("f32"));
        Assert.Equal(2.5f, m.GetSingle("f64"));
        Assert.Equal(200, m.GetSingle("u8"));
        Assert.True(m.GetBoolean("yes"));
        Assert.Equal("a||ß", string.Join('|', m.GetStrings("names")));
        Assert.Equal("ß"u8.ToArray(), m.GetStrings("names").BytesOf(2).ToArray());
        Assert.Equal([1, -2], m.GetInt32s("ints"));
        Assert.Equal([true, false, true], m.GetBooleans("flags"));
        Assert.Equal([0.5f, -2f], m.GetSingles("floats"));
        Assert.Equal("x", m.GetString("after"));
        Assert.Null(m.FindString("none"));
        Assert.Null(m.FindInt32("none"));
        Assert.True(m.IsArray("nested"));

        Assert.Contains("'u32' is 4000000000; allowed are 1 to 100", Fault(() => m.GetInt32("u32", 1, 100)), StringComparison.Ordinal);
        Assert.Contains("'u64' is 18446744073709551615", Fault(() => m.GetInt64("u64")), StringComparison.Ordinal);
        Assert.Contains("'s' is of type String; an integer is needed", Fault(() => m.GetInt32("s")), StringComparison.Ordinal);
        Assert.Contains("'names' is of type Array of String", Fault(() => m.GetSingles("names")), StringComparison.Ordinal);
        Assert.Contains("'none' is missing", Fault(() => m.GetString("none")), StringComparison.Ordinal);
        Assert.Contains("'odd' holds 2", Fault(() => m.GetBoolean("odd")), StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_what_it_cannot_read_and_names_it()
    {
        byte[] block = new byte[36];
        Assert.Contains("version 1", Fault(() => GgufFile.FromMemory("m", new GgufBytes { Version = 1 }.ToArray())), StringComparison.Ordinal);
        Assert.Contains("big-endian (version 3)", Fault(() => GgufFile.FromMemory("m", new GgufBytes { Version = 0x03000000 }.ToArray())), StringComparison.Ordinal);
        Assert.Contains("version 4", Fault(() => GgufFile.FromMemory("m", new GgufBytes { Version = 4 }.ToArray())), StringComparison.Ordinal);
        Assert.Contains("Q4_2", Fault(() => Single("w", 4, [32], block)), StringComparison.Ordinal);
        Assert.Contains("Q8_K", Fault(() => Single("w", 15, [256], new byte[292])), StringComparison.Ordinal);
        Assert.Contains("type 1000", Fault(() => Single("w", 1000, [32], block)), StringComparison.Ordinal);
        Assert.Contains("no multiple of the 32 of a Q8_0 block", Fault(() => Single("w", 8, [33], new byte[64])), StringComparison.Ordinal);
        Assert.Contains("5 dimensions", Fault(() => Single("w", 0, [1, 1, 1, 1, 1], block)), StringComparison.Ordinal);
        Assert.Contains("occurs twice", Fault(() => GgufFile.FromMemory("m", new GgufBytes().Floats("a", 1).Floats("a", 2).ToArray())), StringComparison.Ordinal);
        Assert.Contains("power of two", Fault(() => GgufFile.FromMemory("m", new GgufBytes { Alignment = 24 }.Key("general.alignment", 24u).ToArray())), StringComparison.Ordinal);
        Assert.Contains("overlap", Fault(() => GgufFile.FromMemory("m", new GgufBytes().Floats("a", new float[16]).Tensor("b", 0, [16], new byte[64], offset: 32).ToArray())), StringComparison.Ordinal);
        Assert.Contains("type 13", Fault(() => GgufFile.FromMemory("m", new GgufBytes().Key("k", 13, 0).ToArray())), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_truncation_of_a_valid_file_is_refused()
    {
        byte[] whole = new GgufBytes().Key("general.architecture", "glm4").Strings("t", "a", "b").Floats("x", 1, 2, 3, 4, 5, 6, 7, 8).Floats("y", 9, 9, 9, 9, 9, 9, 9, 9).ToArray();
        GgufFile.FromMemory("m", whole).Dispose();
        for (int length = 0; length < whole.Length; length++)
            Assert.Throws<ModelFileException>(() => GgufFile.FromMemory("m", whole.AsSpan(0, length)));
    }

    [Fact]
    public void Other_alignments_are_honoured()
    {
        foreach (int alignment in new[] { 1, 8, 64, 4096 })
        {
            using GgufFile file = GgufFile.FromMemory("m", new GgufBytes { Alignment = alignment }
                .Key("general.alignment", (uint)alignment).Floats("a", 1, 2, 3).Floats("b", 4, 5).ToArray());
            Assert.True(file.TryGet("b", out StoredTensor? b));
            Assert.Equal([4, 5], b.ToFloats());
        }
    }

    [Fact]
    public void Split_models_open_from_any_part_and_name_what_is_missing()
    {
        using TemporaryFolder folder = new();
        string[] paths = [.. Enumerable.Range(0, 3).Select(i => folder.Write($"m-0000{i + 1}-of-00003.gguf", Part(i, 3)))];
        foreach (string path in paths)
        {
            using GgufFile file = GgufFile.Open(path);
            Assert.Equal(["t0", "t1", "t2"], file.Names);
            Assert.Equal("glm4", file.Architecture);
            Assert.True(file.TryGet("t2", out StoredTensor? last));
            Assert.Equal([2, 2], last.ToFloats());
        }

        File.Delete(paths[1]);
        string fault = Assert.Throws<ModelFileException>(() => GgufFile.Open(paths[0])).Message;
        Assert.Contains("m-00002-of-00003.gguf", fault, StringComparison.Ordinal);
        Assert.Contains("part 2 of 3", fault, StringComparison.Ordinal);

        folder.Write("m-00002-of-00003.gguf", Part(0, 3)); // a copy of another part under its name
        Assert.Contains("says it is part 1", Fault(() => GgufFile.Open(paths[0])), StringComparison.Ordinal);
        string renamed = folder.Write("renamed.gguf", Part(0, 3));
        Assert.Contains("-00001-of-00003.gguf", Fault(() => GgufFile.Open(renamed)), StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_outlive_the_file_they_came_from()
    {
        using TemporaryFolder folder = new();
        StoredTensor tensor = Take(folder.Write("m.gguf", new GgufBytes().Floats("x", 1, 2, 3).ToArray()));
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal([1, 2, 3], tensor.ToFloats());

        static StoredTensor Take(string path)
        {
            using GgufFile file = GgufFile.Open(path);
            return file.TryGet("x", out StoredTensor? found) ? found : throw new InvalidOperationException();
        }
    }

    [Fact]
    public void A_disposed_file_gives_nothing_out()
    {
        GgufFile file = GgufFile.FromMemory("m", new GgufBytes().Floats("x", 1).ToArray());
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.TryGet("x", out _));
    }

    private static byte[] Part(int number, int count)
    {
        GgufBytes bytes = new GgufBytes().Key("split.no", (ushort)number).Key("split.count", (ushort)count).Key("split.tensors.count", 5, BitConverter.GetBytes(count));
        if (number == 0)
            bytes.Key("general.architecture", "glm4");
        return bytes.Floats($"t{number}", number, number).ToArray();
    }

    private static GgufFile Single(string name, uint type, ulong[] shape, byte[] data) =>
        GgufFile.FromMemory("m", new GgufBytes().Tensor(name, type, shape, data).ToArray());

    private static string Fault(Action action) => Assert.Throws<ModelFileException>(action).Message;

    private static string Fault(Func<object?> action) => Assert.Throws<ModelFileException>(action).Message;
}
