using Glimmer.Kernels;
using Glimmer.Models.Loading;
using Glimmer.Models.Loading.Packed;
using Glimmer.Models.Tests.Architectures;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Loading;

public sealed class PackedCopyTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-packed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_second_start_uses_the_copy_and_gives_the_same_bits()
    {
        float[] none = Logits(null), first = Logits(_folder);
        string copy = Assert.Single(Directory.GetFiles(_folder));
        DateTime made = File.GetLastWriteTimeUtc(copy);
        Assert.True(IsKept());
        float[] second = Logits(_folder);
        Assert.Equal(none, first);
        Assert.Equal(none, second);
        Assert.Equal(made, File.GetLastWriteTimeUtc(copy));
    }

    [Fact]
    public void A_damaged_shortened_or_foreign_copy_is_replaced()
    {
        float[] expected = Logits(_folder);
        string copy = Assert.Single(Directory.GetFiles(_folder));
        byte[] good = File.ReadAllBytes(copy);
        Random random = new(1);
        for (int trial = 0; trial < 12; trial++)
        {
            byte[] bad = trial switch
            {
                0 => [],
                1 => good[..100],
                2 => good[..^1],
                3 => [.. good, 0],
                4 => new byte[good.Length],
                5 => Changed(good, 12), // identity
                6 => Changed(good, 48), // place of the table
                7 => Changed(good, good.Length - 8),
                _ => Changed(good, PackedFile.HeaderBytes + random.Next(good.Length - PackedFile.HeaderBytes)),
            };
            File.WriteAllBytes(copy, bad);
            Assert.False(IsKept(), $"trial {trial}");
            Assert.Equal(expected, Logits(_folder));
            Assert.Equal(good, File.ReadAllBytes(copy));
            Assert.Single(Directory.GetFiles(_folder));
        }
    }

    [Fact]
    public void Another_model_under_the_same_name_does_not_get_the_copy()
    {
        string model = Path.Combine(_folder, "m.gguf"), packed = Path.Combine(_folder, "packed");
        File.Copy(Fixtures.Path("gguf", "models", "glm4", "glm4.q8_0.gguf"), model);
        File.SetLastWriteTimeUtc(model, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        LoadOptions options = new() { Activations = ActivationMode.Int8, PackedFolder = packed };
        ModelLoader.Load(model, options).Dispose();
        using (PackedCopies copies = PackedCopies.Open(model, options, ActivationMode.Int8))
            Assert.True(copies.IsKept);
        File.Copy(Fixtures.Path("gguf", "models", "glm4moe", "glm4moe.q8_0.gguf"), model, overwrite: true);
        using (LoadedModel other = ModelLoader.Load(model, options))
            Assert.Equal("glm4_moe", other.Description.Architecture);
        Assert.Single(Directory.GetFiles(packed));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_only_a_warning()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "in the way");
        using LoadedModel model = ModelLoader.Load(Fixtures.BundledModel, new LoadOptions { Activations = ActivationMode.Int8, PackedFolder = Path.Combine(file, "below") });
        Assert.Contains(model.Warnings, warning => warning.Contains("no rearranged copy", StringComparison.Ordinal));
    }

    [Fact]
    public void Exact_products_keep_no_copy()
    {
        ModelLoader.Load(Fixtures.BundledModel, new LoadOptions { PackedFolder = _folder }).Dispose();
        Assert.Empty(Directory.GetFiles(_folder));
    }

    private static byte[] Changed(byte[] bytes, int at)
    {
        byte[] changed = [.. bytes];
        changed[at] ^= 0x10;
        return changed;
    }

    private bool IsKept()
    {
        LoadOptions options = new() { Activations = ActivationMode.Int8, PackedFolder = _folder };
        using PackedCopies copies = PackedCopies.Open(Fixtures.BundledModel, options, ActivationMode.Int8);
        return copies.IsKept;
    }

    private static float[] Logits(string? folder)
    {
        using LoadedModel loaded = ModelLoader.Load(Fixtures.BundledModel, new LoadOptions { Activations = ActivationMode.Int8, PackedFolder = folder });
        Assert.Empty(loaded.Warnings);
        using ModelRunner runner = new(loaded.Model, 20);
        return runner.Chunked(0, [.. Enumerable.Range(5, 20)]);
    }
}
