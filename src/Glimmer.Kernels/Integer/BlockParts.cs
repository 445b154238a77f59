using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Formats;

namespace Glimmer.Kernels.Integer;

/// <summary>One stored block of a row taken apart: value = d·s·(code − zero) − m·o, with s and o per run.</summary>
/// <remarks>The layouts are those of the codecs of the same name.</remarks>
internal unsafe struct BlockParts
{
    /// <summary>d: the bits of a half, or for formats with powers of two the exponent e of 2^(e − 127).</summary>
    public ushort Scale;

    /// <summary>m: the bits of a half.</summary>
    public ushort Offset;

    /// <summary>s of each run.</summary>
    public fixed byte Scales[16];

    /// <summary>o of each run.</summary>
    public fixed byte Offsets[16];

    /// <summary>Takes a block of <paramref name="layout"/>'s format apart; <paramref name="codes"/> gets a byte per column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Read(TileLayout layout, byte* block, byte* codes)
    {
        switch (layout.Format)
        {
            case BlockFormat.Q8_0:
                Scale = *(ushort*)block;
                for (int i = 0; i < 32; i += 16)
                    (Vector128.Load(block + 2 + i) ^ Vector128.Create((byte)0x80)).Store(codes + i);
                break;
            case BlockFormat.Q4_0 or BlockFormat.IQ4_NL:
                Scale = *(ushort*)block;
                Nibbles(block + 2, codes, 16);
                break;
            case BlockFormat.Q4_1:
                Scale = *(ushort*)block;
                Offset = (ushort)(*(ushort*)(block + 2) ^ 0x8000); // this format adds its offset
                Nibbles(block + 4, codes, 16);
                break;
            case BlockFormat.Q5_0:
                Scale = *(ushort*)block;
                Nibbles(block + 6, codes, 16);
                FifthBits(*(uint*)(block + 2), codes);
                break;
            case BlockFormat.Q5_1:
                Scale = *(ushort*)block;
                Offset = (ushort)(*(ushort*)(block + 2) ^ 0x8000);
                Nibbles(block + 8, codes, 16);
                FifthBits(*(uint*)(block + 4), codes);
                break;
            case BlockFormat.MXFP4:
                Scale = (ushort)Math.Max(0, *block - 1); // the levels are doubled
                Nibbles(block + 1, codes, 16);
                break;
            case BlockFormat.Q2_K:
                Scale = *(ushort*)(block + 80);
                Offset = *(ushort*)(block + 82);
                for (int run = 0; run < 16; run++)
                    (Scales[run], Offsets[run]) = ((byte)(block[run] & 15), (byte)(block[run] >> 4));
                TwoBits(block + 16, codes);
                break;
            case BlockFormat.Q3_K:
                ReadQ3_K(block, codes);
                break;
            case BlockFormat.Q4_K:
                SixBits(block);
                for (int run = 0; run < 8; run += 2)
                    Nibbles(block + 16 + run * 16, codes + run * 32, 32);
                break;
            case BlockFormat.Q5_K:
                SixBits(block);
                for (int run = 0; run < 8; run += 2)
                    Nibbles(block + 48 + run * 16, codes + run * 32, 32);
                for (int run = 0; run < 8; run++)
                    Raise(block + 16, run, 1, 4, codes + run * 32);
                break;
            case BlockFormat.Q6_K:
                Scale = *(ushort*)(block + 208);
                for (int run = 0; run < 16; run++)
                    Scales[run] = block[192 + run];
                for (int half = 0; half < 2; half++)
                {
                    Nibbles(block + 64 * half, codes + 128 * half, 64);
                    for (int part = 0; part < 4; part++)
                        Raise(block + 128 + 32 * half, 2 * part, 3, 4, codes + 128 * half + 32 * part);
                }

                break;
            case BlockFormat.IQ4_XS:
                Scale = *(ushort*)block;
                for (int run = 0; run < 8; run++)
                {
                    int low = (block[4 + run / 2] >> (run % 2 * 4)) & 15, high = (*(ushort*)(block + 2) >> (2 * run)) & 3;
                    Scales[run] = (byte)((low | high << 4) - 32);
                    Nibbles(block + 8 + run * 16, codes + run * 32, 16);
                }

                break;
            default:
                throw new NotSupportedException($"Weights in format {layout.Format} cannot be rearranged.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadQ3_K(byte* block, byte* codes)
    {
        Scale = *(ushort*)(block + 108);
        byte* packed = block + 96;
        for (int run = 0; run < 16; run++)
            Scales[run] = (byte)((((packed[run % 8] >> (run / 8 * 4)) & 15) | ((packed[8 + run % 4] >> (run / 4 * 2)) & 3) << 4) - 32);
        TwoBits(block + 32, codes);
        for (int part = 0; part < 8; part++)
            Raise(block, part, 1, 2, codes + 32 * part);
    }

    /// <summary>The header that Q4_K and Q5_K share.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SixBits(byte* block)
    {
        Scale = *(ushort*)block;
        Offset = *(ushort*)(block + 2);
        byte* packed = block + 4; // as PackedCodes.SixBits, which tests compare
        for (int run = 0; run < 4; run++)
        {
            Scales[run] = (byte)(packed[run] & 63);
            Offsets[run] = (byte)(packed[run + 4] & 63);
            Scales[run + 4] = (byte)((packed[run + 8] & 15) | (packed[run] >> 6) << 4);
            Offsets[run + 4] = (byte)((packed[run + 8] >> 4) | (packed[run + 4] >> 6) << 4);
        }
    }

    /// <summary>Low nibbles of <paramref name="count"/> bytes, then the high ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Nibbles(byte* packed, byte* codes, int count)
    {
        for (int i = 0; i < count; i += 16)
        {
            Vector128<byte> v = Vector128.Load(packed + i);
            (v & Vector128.Create((byte)15)).Store(codes + i);
            (v >>> 4).Store(codes + count + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FifthBits(uint bits, byte* codes)
    {
        for (int i = 0; i < 32; i++)
            codes[i] |= (byte)((bits >> i & 1) << 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TwoBits(byte* packed, byte* codes)
    {
        for (int part = 0; part < 8; part++)
        {
            for (int i = 0; i < 32; i += 16)
                ((Vector128.Load(packed + part / 4 * 32 + i) >>> (part % 4 * 2)) & Vector128.Create((byte)3)).Store(codes + part * 32 + i);
        }
    }

    /// <summary>Adds a field of 32 packed bytes to 32 codes at a higher place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Raise(byte* packed, int shift, byte mask, int position, byte* codes)
    {
        for (int i = 0; i < 32; i += 16)
            (Vector128.Load(codes + i) | ((Vector128.Load(packed + i) >>> shift) & Vector128.Create(mask)) << position).Store(codes + i);
    }
}
