namespace Glimmer.ModelMaker;

/// <summary>The sizes of a model, as its GGUF metadata tells them.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Architecture">GGUF architecture: <c>chatglm</c>, <c>glm4</c>, <c>glm4moe</c> or <c>deepseek2</c>.</param>
/// <param name="Layers">Decoder layers.</param>
/// <param name="Hidden">Width of the residual stream.</param>
/// <param name="FeedForward">Width of the dense networks.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyHeads">Key and value heads.</param>
/// <param name="HeadSize">Numbers per head.</param>
/// <param name="Vocabulary">Tokens.</param>
/// <param name="Context">Positions it was made for.</param>
/// <param name="Theta">Base of the rotation.</param>
internal sealed record ModelShape(string Name, string Architecture, int Layers, int Hidden, int FeedForward, int Heads, int KeyHeads, int HeadSize, int Vocabulary, int Context, float Theta)
{
    /// <summary>The rotated numbers of a head.</summary>
    public int Rotated { get; init; } = HeadSize / 2;

    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool Biases { get; init; }

    /// <summary>Whether every head of queries and keys has a norm.</summary>
    public bool HeadNorms { get; init; }

    /// <summary>Parts of the rotation for the three positions of pictures; empty for text models.</summary>
    public IReadOnlyList<int> RotarySections { get; init; } = [];

    /// <summary>Latent attention, if it has that.</summary>
    public LatentShape? Latent { get; init; }

    /// <summary>Experts, if it has them.</summary>
    public ExpertShape? Experts { get; init; }

    /// <summary>The shapes by name. GLM-4.7-Flash is as most of its files are: without its draft layer.</summary>
    public static IReadOnlyList<ModelShape> All { get; } =
    [
        new("edge-1.5b", "chatglm", 28, 2048, 6144, 16, 4, 128, 59264, 8192, 10000),
        new("glm4-9b", "glm4", 40, 4096, 13696, 32, 2, 128, 151552, 32768, 10000) { Biases = true },
        new("glm-4.7-flash", "deepseek2", 47, 2048, 10240, 20, 1, 576, 154880, 202752, 1e6f)
        {
            Rotated = 64,
            Latent = new LatentShape(768, 512, 256, 256),
            Experts = new ExpertShape(64, 4, 1536, 1, 1, 1.8f),
        },
        new("moe-small", "glm4moe", 12, 2048, 6144, 16, 4, 128, 59264, 131072, 1e6f) { Biases = true, Experts = new ExpertShape(64, 4, 1024, 1, 1, 1) },
        new("glm-ocr-decoder", "glm4", 16, 1536, 4608, 16, 8, 128, 59392, 131072, 10000) { Rotated = 128, RotarySections = [16, 24, 24, 0] },
    ];
}

/// <summary>Sizes of latent attention.</summary>
/// <param name="QueryRank">Width of the compressed queries.</param>
/// <param name="KeyRank">Width of what is cached, without the rotated part.</param>
/// <param name="KeySize">Numbers of a key per head, with the rotated ones.</param>
/// <param name="ValueSize">Numbers of a value per head.</param>
internal sealed record LatentShape(int QueryRank, int KeyRank, int KeySize, int ValueSize);

/// <summary>Sizes of a mixture of experts.</summary>
/// <param name="Count">Experts of a layer.</param>
/// <param name="Used">Experts per token.</param>
/// <param name="Width">Width of each.</param>
/// <param name="Shared">Experts that every token uses.</param>
/// <param name="DenseLayers">Layers at the start without experts.</param>
/// <param name="Scale">Factor of what the experts give.</param>
internal sealed record ExpertShape(int Count, int Used, int Width, int Shared, int DenseLayers, float Scale);
