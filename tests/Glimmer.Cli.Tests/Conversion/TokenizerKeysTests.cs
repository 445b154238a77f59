using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Glimmer.Cli.Conversion;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Models.Conversion;
using Glimmer.Models.Weights;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Conversion;

public sealed class TokenizerKeysTests : IDisposable
{
    private const int Vocabulary = 8200;
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-convert-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("tokenizer.json", "encode.jsonl")]
    [InlineData("tokenizer.model", "encode-legacy.jsonl")]
    public void A_converted_model_tokenizes_as_its_folder_does(string tokenizer, string texts)
    {
        WriteCheckpoint();
        File.Copy(Fixtures.Path("tokenizer", tokenizer), Path.Combine(_folder, tokenizer));
        if (tokenizer.EndsWith("model", StringComparison.Ordinal))
            File.Copy(Fixtures.Path("tokenizer", "tokenizer_config.legacy.json"), Path.Combine(_folder, "tokenizer_config.json"));
        File.WriteAllText(Path.Combine(_folder, "chat_template.jinja"), "[gMASK]<sop>{{ messages }}");
        string target = Path.Combine(_folder, "made.gguf");
        Assert.True(QuantisationMix.TryFind("F16", out QuantisationMix? mix));
        CheckpointConverter.Run(_folder, target, mix, TokenizerKeys.Read(_folder));
        using ModelPackage package = ModelPackage.Load(target, new PackageOptions { Generation = "glm-4.5" });
        Tokenizer before = TokenizerFiles.Open(_folder);
        int lines = 0;
        foreach (string line in File.ReadLines(Fixtures.Path("tokenizer", texts)))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            string text = row.RootElement.GetProperty("text").GetString()!;
            Assert.Equal(before.Encode(text, true), package.Tokenizer.Encode(text, true));
            lines++;
        }

        Assert.True(lines > 20);
        using GgufFile file = GgufFile.Open(target);
        Assert.Equal(Vocabulary, file.Metadata.GetStrings("tokenizer.ggml.tokens").Count);
        Assert.Equal($"[PAD{Vocabulary - 1}]", Encoding.UTF8.GetString(file.Metadata.GetStrings("tokenizer.ggml.tokens").BytesOf(Vocabulary - 1)));
        Assert.Equal("[gMASK]<sop>{{ messages }}", file.Metadata.GetString("tokenizer.chat_template"));
        Assert.Equal("glm4", file.Metadata.GetString("tokenizer.ggml.pre"));
    }

    [Fact]
    public void A_folder_without_a_tokenizer_is_refused()
    {
        WriteCheckpoint();
        TokenizerFileException fault = Assert.Throws<TokenizerFileException>(() => TokenizerKeys.Read(_folder));
        Assert.Contains("a GGUF file carries its tokenizer", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_larger_than_the_embedding_is_refused()
    {
        File.Copy(Fixtures.Path("tokenizer", "tokenizer.json"), Path.Combine(_folder, "tokenizer.json"));
        Action<GgufWriter, int, IReadOnlyList<int>> write = TokenizerKeys.Read(_folder);
        Assert.Contains("they belong to different models", Assert.Throws<Glimmer.Models.ModelFileException>(() => write(new GgufWriter(Stream.Null), 100, [])).Message, StringComparison.Ordinal);
    }

    // One layer of GLM-4-0414, eight wide.
    private void WriteCheckpoint()
    {
        File.WriteAllText(Path.Combine(_folder, "config.json"), $$"""
            {"model_type":"glm4","hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,"partial_rotary_factor":0.5,
             "rms_norm_eps":1e-5,"rope_theta":10000,"max_position_embeddings":64,"vocab_size":{{Vocabulary}},"attention_bias":false,"tie_word_embeddings":true,"eos_token_id":[5]}
            """);
        (string Name, int[] Shape)[] tensors =
        [
            ("model.embed_tokens.weight", [Vocabulary, 8]), ("model.norm.weight", [8]),
            .. ((string[])["input", "post_self_attn", "post_attention", "post_mlp"]).Select(norm => ($"model.layers.0.{norm}_layernorm.weight", (int[])[8])),
            ("model.layers.0.self_attn.q_proj.weight", [8, 8]), ("model.layers.0.self_attn.k_proj.weight", [4, 8]), ("model.layers.0.self_attn.v_proj.weight", [4, 8]),
            ("model.layers.0.self_attn.o_proj.weight", [8, 8]), ("model.layers.0.mlp.gate_up_proj.weight", [16, 8]), ("model.layers.0.mlp.down_proj.weight", [8, 8]),
        ];
        int offset = 0;
        Dictionary<string, object> header = [];
        foreach ((string name, int[] shape) in tensors)
        {
            int bytes = shape.Aggregate(1, (count, size) => count * size) * sizeof(float);
            header[name] = new { dtype = "F32", shape, data_offsets = (int[])[offset, offset + bytes] };
            offset += bytes;
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        float[] values = [.. Enumerable.Range(0, offset / sizeof(float)).Select(i => MathF.Sin(i))];
        using FileStream file = File.Create(Path.Combine(_folder, "model.safetensors"));
        file.Write(BitConverter.GetBytes((long)json.Length));
        file.Write(json);
        file.Write(MemoryMarshal.AsBytes<float>(values));
    }
}
