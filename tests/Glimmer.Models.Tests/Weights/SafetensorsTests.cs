using System.Text;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Tests.Weights;

public sealed class SafetensorsTests
{
    [Fact]
    public void Reads_a_file_with_odd_offsets_empty_tensors_and_metadata()
    {
        byte[] data = [1, 2, 3, .. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(-2f)];
        using SafetensorsFile file = SafetensorsFile.FromMemory("f", Bytes("""
            {"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[3,11]},
             "b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"none":{"dtype":"F64","shape":[0,4],"data_offsets":[3,3]}}   
            """, data));
        Assert.True(file.TryGet("w", out StoredTensor? w));
        Assert.Equal([2, 1], w.Shape);
        Assert.Equal([1.5f, -2f], w.ToFloats());
        Assert.True(file.TryGet("b", out StoredTensor? b));
        Assert.Equal([1, 2, 3], b.ToFloats());
        Assert.True(file.TryGet("none", out StoredTensor? none));
        Assert.Empty(none.ToFloats());
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}""", "occurs twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}}""", "unknown field 'extra'")]
    [InlineData("""{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}""", "'F4'")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "'dtype' twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", "data_offsets")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""", "1 bytes after the last tensor")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}""", "1 unused bytes")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", "too large")]
    [InlineData("""{"a":7}""", "no object")]
    [InlineData("""{"\ud800":7}""", "malformed header")]
    [InlineData("""{"a":{"dtype":"F32","shape":{"x":1},"data_offsets":[0,4]}}""", "'shape'")]
    [InlineData("""{} {}""", "malformed header")]
    [InlineData("""[]""", "does not begin with '{'")]
    public void Refuses_a_bad_header_and_says_why(string json, string fault) =>
        Assert.Contains(fault, Assert.Throws<ModelFileException>(() => SafetensorsFile.FromMemory("f", Bytes(json, new byte[4]))).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_truncation_is_refused()
    {
        byte[] whole = Bytes("""{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}""", new byte[16]);
        SafetensorsFile.FromMemory("f", whole).Dispose();
        for (int length = 0; length < whole.Length; length++)
            Assert.Throws<ModelFileException>(() => SafetensorsFile.FromMemory("f", whole.AsSpan(0, length)));
    }

    [Fact]
    public void A_folder_with_shards_gives_every_tensor_of_the_index()
    {
        using TemporaryFolder folder = new();
        folder.Write("model-00001-of-00002.safetensors", Tensor("a", 1));
        folder.Write("model-00002-of-00002.safetensors", Tensor("b", 2));
        string index = folder.Write("model.safetensors.index.json",
            """{"metadata":{"total_size":8,"deep":[[[]]]},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}""");
        using (IWeightSource source = CheckpointOpener.Open(folder.Path))
        {
            Assert.IsType<SafetensorsCheckpoint>(source);
            Assert.Equal("a b", string.Join(' ', source.Names.Order(StringComparer.Ordinal)));
            Assert.True(source.TryGet("b", out StoredTensor? b));
            Assert.Equal([2], b.ToFloats());
        }

        folder.Write("model.safetensors.index.json", """{"weight_map":{"c":"model-00002-of-00002.safetensors"}}""");
        string fault = Assert.Throws<ModelFileException>(() => SafetensorsCheckpoint.OpenIndex(index)).Message;
        Assert.Contains("lacks the tensor 'c'", fault, StringComparison.Ordinal);
        Assert.Contains("model-00002-of-00002.safetensors", fault, StringComparison.Ordinal);
        folder.Write("model.safetensors.index.json", """{"weight_map":{"c":"gone.safetensors"}}""");
        Assert.Contains("gone.safetensors", Assert.Throws<ModelFileException>(() => SafetensorsCheckpoint.OpenIndex(index)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../x.safetensors")]
    [InlineData("..\\x.safetensors")]
    [InlineData("/etc/x.safetensors")]
    [InlineData("C:x.safetensors")]
    [InlineData("sub/x.safetensors")]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("http://x.safetensors")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("a\u0000.safetensors")]
    public void An_index_cannot_reach_outside_its_folder(string shard)
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder.File("sub"));
        folder.Write("sub/x.safetensors", Tensor("a", 1));
        string index = folder.Write("model.safetensors.index.json", $$$"""{"weight_map":{"a":{{{System.Text.Json.JsonSerializer.Serialize(shard)}}}}}""");
        Assert.Contains("plain names", Assert.Throws<ModelFileException>(() => SafetensorsCheckpoint.OpenIndex(index)).Message, StringComparison.Ordinal);
    }

    internal static byte[] Tensor(string name, params float[] values) => Bytes(
        $$$"""{"{{{name}}}":{"dtype":"F32","shape":[{{{values.Length}}}],"data_offsets":[0,{{{4 * values.Length}}}]}}""", [.. values.SelectMany(BitConverter.GetBytes)]);

    private static byte[] Bytes(string header, byte[] data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((ulong)json.Length), .. json, .. data];
    }
}
