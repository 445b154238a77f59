using System.Text.Json;
using Glimmer.Models.Loading;
using Glimmer.Models.Tests.Weights;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Loading;

public sealed class ModelLoaderTests
{
    [Fact]
    public void The_bundled_model_loads_with_its_draft_layer_and_end_tokens()
    {
        using LoadedModel model = ModelLoader.Load(Fixtures.BundledModel);
        Assert.Equal(new ModelDescription("glm4_moe", 8192, 256, 6, 32768, model.Description.Parameters), model.Description);
        Assert.InRange(model.Description.Parameters, 11_000_000, 13_000_000);
        Assert.Equal([8156, 8163, 8165], model.Generation.EosTokens);
        Assert.NotNull(model.Model.Draft);
        Assert.Equal("Glimmer Tiny", model.DisplayName);
        Assert.NotNull(model.Tokenizer.Metadata);
        Assert.Equal(14, model.Model.KvLayout.Planes.Count);
        using LoadedModel trunk = ModelLoader.Load(Fixtures.BundledModel, new LoadOptions { DraftLayer = false });
        Assert.Null(trunk.Model.Draft);
        Assert.Equal(12, trunk.Model.KvLayout.Planes.Count);
    }

    [Fact]
    public void A_checkpoint_brings_its_generation_settings_along()
    {
        using TemporaryFolder folder = new();
        foreach (string file in (string[])["config.json", "model.safetensors"])
            File.Copy(Fixtures.Path("text", "glm", file), folder.File(file));
        folder.Write("generation_config.json", """{"eos_token_id": 3, "do_sample": true, "temperature": 0.6, "top_p": 0.95, "top_k": 40}""");
        using LoadedModel model = ModelLoader.Load(folder.Path);
        Assert.Equal([3, 140, 147, 149], model.Generation.EosTokens);
        Assert.Equal(0.6, model.Generation.Temperature);
        Assert.Equal(0.95, model.Generation.TopP);
        Assert.Equal(40, model.Generation.TopK);
        Assert.True(model.Generation.Sample);
        Assert.Null(model.Generation.MinP);
        Assert.Equal(folder.Path, model.Tokenizer.Folder);
    }

    public static TheoryData<string> MalformedModels()
    {
        TheoryData<string> files = [];
        foreach (string line in File.ReadLines(Fixtures.Path("gguf", "malformed", "index.jsonl")))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            string file = row.RootElement.GetProperty("file").GetString()!;
            string[] elsewhere = ["tokens", "types", "merge", "tokenizer"]; // faults of the tokenizer, which is not read here
            if (row.RootElement.GetProperty("kind").GetString() == "gguf" && row.RootElement.GetProperty("expect").GetString() == "error" && !elsewhere.Any(word => file.Contains(word, StringComparison.Ordinal)))
                files.Add(file);
        }

        return files;
    }

    [Theory]
    [MemberData(nameof(MalformedModels))]
    public void Malformed_gguf_files_are_refused_by_name(string file)
    {
        string path = Fixtures.Path("gguf", "malformed", file);
        ModelFileException fault = Assert.Throws<ModelFileException>(() => ModelLoader.Load(path).Dispose());
        Assert.Contains(file, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_config_is_refused()
    {
        using TemporaryFolder folder = new();
        File.Copy(Fixtures.Path("text", "glm", "model.safetensors"), folder.File("model.safetensors"));
        ModelFileException fault = Assert.Throws<ModelFileException>(() => ModelLoader.Load(folder.Path));
        Assert.Contains("config.json", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_of_another_shape_is_named_with_both_shapes()
    {
        using TemporaryFolder folder = new();
        File.Copy(Fixtures.Path("text", "glm", "model.safetensors"), folder.File("model.safetensors"));
        folder.Write("config.json", File.ReadAllText(Fixtures.Path("text", "glm", "config.json")).Replace("\"hidden_size\": 48", "\"hidden_size\": 52", StringComparison.Ordinal));
        ModelFileException fault = Assert.Throws<ModelFileException>(() => ModelLoader.Load(folder.Path));
        Assert.Contains("model.embed_tokens.weight has shape (152, 48); the configuration asks for (152, 52)", fault.Message, StringComparison.Ordinal);
    }
}
