using Glimmer.Kernels.Formats;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Weights;

public sealed class GgufWriterTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    [InlineData(256)]
    public void What_is_written_is_read_back(int alignment)
    {
        using MemoryStream stream = new();
        GgufWriter writer = new(stream, alignment);
        writer.Add("general.architecture", "glm4");
        writer.Add("number", 7u);
        writer.Add("real", 0.25f);
        writer.Add("yes", true);
        writer.Add("names", ["a", "ß", ""]);
        writer.Add("ints", [1, -2]);
        writer.Announce("q", [2, 3, 32], BlockFormat.Q8_0);
        writer.Announce("v", [3], BlockFormat.F32);
        byte[] q = [.. Enumerable.Range(0, 6 * 34).Select(i => (byte)i)];
        for (int done = 0; done < q.Length; done += 50)
            writer.Write(q.AsSpan(done, Math.Min(50, q.Length - done)));
        writer.Write(new byte[12]);
        writer.Finish();

        using GgufFile file = GgufFile.FromMemory("m", stream.ToArray());
        Assert.Equal("glm4", file.Architecture);
        Assert.Equal(7, file.Metadata.GetInt32("number"));
        Assert.Equal(0.25f, file.Metadata.GetSingle("real"));
        Assert.True(file.Metadata.GetBoolean("yes"));
        Assert.Equal("a|ß|", string.Join('|', file.Metadata.GetStrings("names")));
        Assert.Equal([1, -2], file.Metadata.GetInt32s("ints"));
        Assert.True(file.TryGet("q", out StoredTensor? tensor));
        Assert.Equal([2, 3, 32], tensor.Shape);
        Assert.Equal(q, tensor.Bytes.ToArray());
        Assert.Equal(0, tensor.Address % Math.Min(alignment, 64));
    }

    [Fact]
    public void A_copied_model_equals_its_source()
    {
        using GgufFile source = GgufFile.Open(Fixtures.BundledModel);
        using MemoryStream stream = new();
        GgufWriter writer = new(stream, source.Metadata.FindInt32("general.alignment") ?? 32);
        foreach (string key in source.Metadata.Keys.Where(key => key != "general.alignment"))
            writer.Copy(source.Metadata, key);
        StoredTensor[] tensors = [.. source.Names.Select(name => source.TryGet(name, out StoredTensor? tensor) ? tensor : throw new KeyNotFoundException(name))];
        foreach (StoredTensor tensor in tensors)
            writer.Announce(tensor.Name, tensor.Shape, tensor.Format);
        foreach (StoredTensor tensor in tensors)
            writer.Write(tensor.Bytes);
        writer.Finish();

        using GgufFile copy = GgufFile.FromMemory("copy", stream.ToArray());
        Assert.Equal(source.Metadata.Keys, copy.Metadata.Keys);
        Assert.Equal(source.Metadata.GetStrings("tokenizer.ggml.merges").Count, copy.Metadata.GetStrings("tokenizer.ggml.merges").Count);
        Assert.Equal(string.Join(' ', source.Metadata.GetStrings("tokenizer.ggml.tokens")), string.Join(' ', copy.Metadata.GetStrings("tokenizer.ggml.tokens")));
        foreach (StoredTensor tensor in tensors)
        {
            Assert.True(copy.TryGet(tensor.Name, out StoredTensor? copied));
            Assert.Equal(tensor.Shape, copied.Shape);
            Assert.True(tensor.Bytes.SequenceEqual(copied.Bytes));
        }
    }

    [Fact]
    public void Misuse_is_refused_before_anything_is_spoilt()
    {
        GgufWriter writer = new(Stream.Null);
        writer.Add("k", 1u);
        Assert.Throws<ArgumentException>(() => writer.Add("k", 2u));
        Assert.Throws<ArgumentException>(() => writer.Announce("w", [33], BlockFormat.Q8_0));
        Assert.Throws<ArgumentException>(() => writer.Announce("w", [0], BlockFormat.F32));
        Assert.Throws<ArgumentException>(() => writer.Announce("w", [1, 1, 1, 1, 1], BlockFormat.F32));
        Assert.Throws<ArgumentException>(() => writer.Announce("w", [1], BlockFormat.F8_E4M3));
        writer.Announce("w", [2], BlockFormat.F32);
        Assert.Throws<ArgumentException>(() => writer.Announce("w", [2], BlockFormat.F32));
        Assert.Throws<ArgumentException>(() => writer.Write(new byte[9]));
        writer.Write(new byte[4]);
        Assert.Throws<InvalidOperationException>(() => writer.Add("late", 1u));
        Assert.Contains("lacks 4 bytes", Assert.Throws<InvalidOperationException>(writer.Finish).Message, StringComparison.Ordinal);
        writer.Write(new byte[4]);
        Assert.Throws<InvalidOperationException>(() => writer.Write(new byte[1]));
        writer.Finish();
        Assert.Throws<ArgumentException>(() => new GgufWriter(Stream.Null, 12));
    }
}
