namespace Glimmer.Engine.Sampling;

/// <summary>
/// The counter-based generator Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
/// SC 2011). The n-th number of a seed is a pure function of both, so nothing that happens between two tokens, and
/// nothing else in the batch, can change a draw.
/// </summary>
internal static class Philox
{
    /// <summary>A number in [0, 1) with 53 random bits: the <paramref name="index"/>-th of <paramref name="seed"/>.</summary>
    public static double Uniform(ulong seed, ulong index)
    {
        (uint a, uint b, _, _) = Block((uint)index, (uint)(index >> 32), 0, 0, (uint)seed, (uint)(seed >> 32));
        return ((((ulong)b << 32) | a) >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>Ten rounds over a counter of four words with a key of two.</summary>
    internal static (uint, uint, uint, uint) Block(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong left = 0xD2511F53UL * c0;
            ulong right = 0xCD9E8D57UL * c2;
            (c0, c1, c2, c3) = ((uint)(right >> 32) ^ c1 ^ k0, (uint)right, (uint)(left >> 32) ^ c3 ^ k1, (uint)left);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }

        return (c0, c1, c2, c3);
    }
}
