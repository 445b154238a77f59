using Glimmer.Kernels;

namespace Glimmer.Models.Configuration;

/// <summary>
/// Reads the parts of a <see cref="ModelConfig"/> from one kind of file. An architecture asks for the parts it has;
/// each part is checked when read.
/// </summary>
internal interface IConfigReader
{
    /// <summary>The file, for messages.</summary>
    string File { get; }

    /// <summary>Sizes every architecture has, with plain attention.</summary>
    ModelConfig Common(string architecture);

    /// <summary>Rotary embedding of heads of <paramref name="headDim"/>.</summary>
    RopeConfig Rope(int headDim, RotaryPairing pairing);

    /// <summary>Rotary embedding of the rotated part of latent attention, interleaved unless the file says otherwise.</summary>
    RopeConfig LatentRope(LatentConfig latent)
    {
        if (latent.RopeDim == 0)
            throw new ModelFileException(File, "the rotated part of a head is 0; it must be an even number from 2.");
        RopeConfig rope = Rope(latent.RopeDim, RotaryPairing.Interleaved);
        if (rope.Yarn is not null || rope.Dimensions != latent.RopeDim)
            throw new ModelFileException(File, "latent attention is only supported with its whole rotated part and without YaRN.");
        return rope;
    }

    /// <summary>Mixture of experts for <paramref name="layers"/> trunk layers.</summary>
    MoeConfig Moe(int layers);

    /// <summary>Latent attention.</summary>
    LatentConfig Latent();

    /// <summary>Indexer for <paramref name="layers"/> trunk layers.</summary>
    IndexerConfig Indexer(int layers);

    /// <summary>Linear attention for <paramref name="layers"/> trunk layers.</summary>
    LinearAttentionConfig Linear(int layers);

    /// <summary>Residual streams.</summary>
    HyperConnectionConfig Hyper();

    /// <summary>Bound on gate and up values, when set.</summary>
    float? SwigluLimit();
}
