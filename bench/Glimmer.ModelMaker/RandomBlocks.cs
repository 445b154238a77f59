using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Glimmer.Kernels.Formats;

namespace Glimmer.ModelMaker;

/// <summary>
/// Random blocks of each format, made once and used again from another place for every tensor, so that a file takes little longer than
/// writing its bytes. The codes are random bits; the scales give numbers with a deviation of about 1/√columns, which keeps activations near 1.
/// </summary>
/// <param name="seed">Gives the numbers.</param>
/// <param name="largestTensor">Bytes of the largest tensor: small files need no large pool.</param>
internal sealed class RandomBlocks(int seed, long largestTensor)
{
    private readonly long _poolBytes = Math.Clamp(2 * largestTensor, 64 << 10, 8 << 20);
    private readonly Random _random = new(seed);
    private readonly Dictionary<(BlockFormat, long), byte[]> _pools = [];

    /// <summary>Hands on <paramref name="length"/> bytes of blocks for rows of <paramref name="columns"/> numbers.</summary>
    public void Write(BlockFormat format, long columns, long length, Action<ReadOnlySpan<byte>> take)
    {
        if (!_pools.TryGetValue((format, columns), out byte[]? pool))
            _pools[(format, columns)] = pool = Make(format, 1 / Math.Sqrt(columns));
        int block = BlockCodecs.For(format).BytesPerBlock;
        while (length > 0)
        {
            // Begun anywhere, so that no two tensors are equal and a router spreads its choices.
            int start = _random.Next(pool.Length / 2 / block) * block, count = (int)Math.Min(length, pool.Length - start);
            take(pool.AsSpan(start, count));
            length -= count;
        }
    }

    private byte[] Make(BlockFormat format, double deviation)
    {
        int size = BlockCodecs.For(format).BytesPerBlock;
        byte[] pool = new byte[_poolBytes / size * size];
        if (format is BlockFormat.F32 or BlockFormat.F16)
        {
            for (int i = 0; i < pool.Length; i += size)
            {
                double value = Normal() * deviation;
                if (format == BlockFormat.F32)
                    BinaryPrimitives.WriteSingleLittleEndian(pool.AsSpan(i), (float)value);
                else
                    BinaryPrimitives.WriteHalfLittleEndian(pool.AsSpan(i), (Half)value);
            }

            return pool;
        }

        _random.NextBytes(pool);
        for (int i = 0; i < pool.Length; i += size)
            Scale(format, pool.AsSpan(i, size), deviation);
        return pool;
    }

    // The divisors are the deviations of random codes.
    private void Scale(BlockFormat format, Span<byte> block, double deviation)
    {
        switch (format)
        {
            case BlockFormat.Q8_0:
                Put(block, deviation / 73);
                block[2..].Replace((byte)0x80, (byte)0x81); // quantisers never give −128
                break;
            case BlockFormat.Q4_0:
                Put(block, deviation / 4.6);
                break;
            case BlockFormat.Q5_0:
                Put(block, deviation / 9.2);
                break;
            case BlockFormat.Q4_K:
                Put(block, deviation / 200);
                Put(block[2..], 7.5 * deviation / 200);
                break;
            case BlockFormat.Q6_K:
                foreach (ref sbyte scale in MemoryMarshal.Cast<byte, sbyte>(block[192..208]))
                    scale = (sbyte)_random.Next(-16, 16);
                Put(block[208..], deviation / 170);
                break;
            default:
                throw new NotSupportedException($"There are no random blocks of {format}.");
        }
    }

    private static void Put(Span<byte> place, double scale) => BinaryPrimitives.WriteHalfLittleEndian(place, (Half)scale);

    // Box and Muller.
    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
}
