using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Kernels;
using Glimmer.Models.Architectures;
using Glimmer.Models.Configuration;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Configuration;

public sealed class HuggingFaceConfigTests
{
    private const string Moe = """
        {"model_type":"glm4_moe","hidden_size":32,"intermediate_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
         "head_dim":16,"vocab_size":300,"rms_norm_eps":1e-05,"rope_theta":50000.0,"partial_rotary_factor":0.5,"attention_bias":true,"hidden_act":"silu",
         "max_position_embeddings":128,"tie_word_embeddings":false,"n_routed_experts":4,"num_experts_per_tok":2,"n_shared_experts":1,
         "moe_intermediate_size":16,"first_k_dense_replace":1,"n_group":2,"topk_group":1,"norm_topk_prob":true,"routed_scaling_factor":1.5}
        """;

    public static TheoryData<string, string> Malformed()
    {
        TheoryData<string, string> rows = [];
        foreach (string line in File.ReadLines(Fixtures.Path("gguf", "malformed", "index.jsonl")))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            string file = row.RootElement.GetProperty("file").GetString()!;
            if (file.EndsWith(".config.json", StringComparison.Ordinal) && file != "quant-unknown.config.json")
                rows.Add(file, row.RootElement.GetProperty("expect").GetString()!);
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public void Malformed_files_are_refused_by_name(string file, string expect)
    {
        string path = Fixtures.Path("gguf", "malformed", file);
        ModelFileException? fault = Record.Exception(() => Read(path)) as ModelFileException;
        if (expect == "error")
            Assert.NotNull(fault);
        if (fault is not null)
            Assert.StartsWith(path, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("num_hidden_layers", "1000000000", "\"num_hidden_layers\" is 1000000000; it must be an integer from 1 to 1024")]
    [InlineData("hidden_size", "2147483648", "\"hidden_size\" is 2147483648")]
    [InlineData("num_attention_heads", "0", "\"num_attention_heads\" is 0")]
    [InlineData("num_attention_heads", "3", "a divisor of the 3 attention heads")]
    [InlineData("rope_theta", "0", "\"rope_theta\" is 0")]
    [InlineData("rms_norm_eps", "0", "\"rms_norm_eps\" is 0")]
    [InlineData("rms_norm_eps", "\"small\"", "\"rms_norm_eps\" is \"small\"")]
    [InlineData("n_group", "3", "a divisor of the 4 experts")]
    [InlineData("num_experts_per_tok", "3", "from 1 to the 2 experts that can be chosen")]
    [InlineData("topk_group", "3", "from 1 to the 2 groups")]
    [InlineData("partial_rotary_factor", "0.1", "\"partial_rotary_factor\" is 0.1")]
    [InlineData("rope_scaling", """{"type":"martian","factor":4}""", "\"rope_scaling.type\" is \"martian\"; it must be one of default, linear, yarn")]
    [InlineData("rope_scaling", "[]", "\"rope_scaling\" is a list of 0; it must be an object")]
    [InlineData("hidden_act", "\"gelu\"", "it must be silu")]
    [InlineData("mlp_layer_types", """["dense"]""", "an entry for each of the 2 layers")]
    [InlineData("scoring_func", "\"tanh\"", "sigmoid or softmax")]
    [InlineData("model_type", "\"llama\"", "supported are chatglm, glm,")]
    public void A_bad_value_is_named_with_what_would_be_legal(string key, string value, string message)
    {
        JsonNode node = JsonNode.Parse(Moe)!;
        node[key] = JsonNode.Parse(value);
        ModelFileException fault = Assert.Throws<ModelFileException>(() => Parse(node.ToJsonString()));
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Not_a_number_is_named_by_its_key()
    {
        ModelFileException fault = Assert.Throws<ModelFileException>(() => Parse(Moe.Replace("50000.0", "NaN", StringComparison.Ordinal)));
        Assert.Contains("\"rope_theta\"", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Both_spellings_of_transformers_mean_the_same()
    {
        ModelConfig four = Parse(Moe);
        JsonNode node = JsonNode.Parse(Moe)!;
        node.AsObject().Remove("rope_theta");
        node.AsObject().Remove("partial_rotary_factor");
        node["rope_parameters"] = JsonNode.Parse("""{"rope_theta":50000.0,"rope_type":"default","partial_rotary_factor":0.5}""");
        node.AsObject().Remove("first_k_dense_replace");
        node["mlp_layer_types"] = JsonNode.Parse("""["dense","sparse"]""");
        ModelConfig five = Parse(node.ToJsonString());
        Assert.Equal(new RopeConfig(8, 50000, RotaryPairing.HalfSplit, 1, null), four.Rope);
        Assert.Equal(four.Rope, five.Rope);
        Assert.Equal([false, true], four.Moe!.Sparse);
        Assert.Equal(four.Moe.Sparse, five.Moe!.Sparse);

        JsonNode nested = JsonNode.Parse("""{"model_type":"glm4_moe"}""")!;
        nested["text_config"] = node;
        Assert.Equal(five.Rope, Parse(nested.ToJsonString()).Rope);
    }

    [Fact]
    public void Damaged_files_never_do_worse_than_an_error()
    {
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 2000;
        Random random = new(17);
        byte[] valid = Encoding.UTF8.GetBytes(Moe);
        int refused = 0;
        for (int i = 0; i < rounds; i++)
        {
            byte[] damaged = [.. valid];
            for (int change = random.Next(1, 6); change > 0; change--)
                damaged[random.Next(damaged.Length)] = (byte)(random.Next(3) == 0 ? random.Next(256) : "0123456789,:\"{}[]e-."[random.Next(20)]);
            if (Record.Exception(() => Read(JsonConfigFields.Parse("config.json", damaged))) is { } fault)
            {
                Assert.IsType<ModelFileException>(fault);
                refused++;
            }
        }

        Assert.InRange(refused, rounds / 10, rounds);
    }

    private static ModelConfig Parse(string json) => Read(JsonConfigFields.Parse("config.json", Encoding.UTF8.GetBytes(json)));

    private static void Read(string path) => Read(JsonConfigFields.Open(path));

    private static ModelConfig Read(ConfigFields fields)
    {
        HuggingFaceConfig reader = new(fields);
        return ArchitectureCatalogue.ForModelType(fields, reader.ModelType).ReadConfig(reader);
    }
}
