using Glimmer.Models.Weights;

namespace Glimmer.Models.Tests.Weights;

public sealed class CheckpointOpenerTests
{
    private static readonly byte[] _gguf = new GgufBytes().Key("general.architecture", "glm4").Floats("x", 1).ToArray();

    [Fact]
    public void Decides_by_content_and_name()
    {
        using TemporaryFolder folder = new();
        Assert.IsType<GgufFile>(Open(folder.Write("a.gguf", _gguf)));
        Assert.IsType<GgufFile>(Open(folder.Write("sha256-0123", _gguf)));
        Assert.IsType<SafetensorsFile>(Open(folder.Write("b.safetensors", SafetensorsTests.Tensor("x", 1))));
        Assert.IsType<SafetensorsFile>(Open(folder.Write("blob", SafetensorsTests.Tensor("x", 1))));
    }

    [Fact]
    public void A_folder_may_hold_one_model_of_either_kind()
    {
        using TemporaryFolder folder = new();
        folder.Write("model.gguf", _gguf);
        folder.Write("mmproj-model.gguf", _gguf);
        Assert.IsType<GgufFile>(Open(folder.Path));
        folder.Write("other.gguf", _gguf);
        Assert.Contains("2 GGUF models (model.gguf, other.gguf)", Fault(folder.Path), StringComparison.Ordinal);
        folder.Write("model.safetensors", SafetensorsTests.Tensor("x", 1));
        Assert.IsType<SafetensorsCheckpoint>(Open(folder.Path));
    }

    [Fact]
    public void Says_what_was_found_instead()
    {
        using TemporaryFolder folder = new();
        Assert.Contains("it has no files", Fault(folder.Path), StringComparison.Ordinal);
        Assert.Contains("does not exist", Fault(folder.File("none.gguf")), StringComparison.Ordinal);
        Assert.Contains("is empty", Fault(folder.Write("empty", "")), StringComparison.Ordinal);
        Assert.Contains("is empty", Fault(folder.Write("empty.gguf", "")), StringComparison.Ordinal);
        Assert.Contains("Git LFS pointer", Fault(folder.Write("lfs", "version https://git-lfs.github.com/spec/v1\n")), StringComparison.Ordinal);
        Assert.Contains("zip archive", Fault(folder.Write("pytorch_model.bin", [(byte)'P', (byte)'K', 3, 4, 0])), StringComparison.Ordinal);
        Assert.Contains("pickle", Fault(folder.Write("model.pt", [0x80, 2, 0x8A])), StringComparison.Ordinal);
        Assert.Contains("JSON", Fault(folder.Write("config.json", "{}")), StringComparison.Ordinal);
        using TemporaryFolder configuration = new();
        configuration.Write("config.json", "{}");
        Assert.Contains("found config.json", Fault(configuration.Path), StringComparison.Ordinal);
        Assert.Contains("begin with 'GGUF'", Fault(folder.Write("wrong.gguf", "something")), StringComparison.Ordinal);
    }

    private static IWeightSource Open(string path) => CheckpointOpener.Open(path);

    private static string Fault(string path) => Assert.Throws<ModelFileException>(() => CheckpointOpener.Open(path)).Message;
}
