namespace Glimmer.Kernels.Integer.Emitted;

/// <summary>
/// Encodes the few x86-64 instructions that the emitted kernels are made of: 512-bit EVEX forms and a counted loop.
/// Operands are register numbers; memory is a base register with a 32-bit displacement.
/// </summary>
/// <remarks>Encoding after the Intel 64 and IA-32 manual, volume 2, section 2.7 (EVEX prefix). Bases that need an SIB byte (rsp, r12) are refused.</remarks>
internal sealed class VectorAssembler
{
    private readonly List<byte> _code = [];

    private enum Prefix
    {
        None = 0,
        Operand66 = 1,
        RepeatF3 = 2,
    }

    private enum Map
    {
        Escape = 1,
        Escape38 = 2,
        Escape3A = 3,
    }

    /// <summary>Where the next instruction will lie, from the start.</summary>
    public int Position => _code.Count;

    /// <summary>The code so far.</summary>
    public byte[] ToArray() => [.. _code];

    /// <summary>vmovdqu64 zmm, [at + displacement].</summary>
    public void Load(int target, int at, int displacement) => Memory(Prefix.RepeatF3, Map.Escape, true, 0x6F, target, 0, at, displacement, broadcast: false);

    /// <summary>vmovups [at + displacement], zmm.</summary>
    public void Store(int source, int at, int displacement) => Memory(Prefix.None, Map.Escape, false, 0x11, source, 0, at, displacement, broadcast: false);

    /// <summary>vpxord zmm, zmm, zmm: clears.</summary>
    public void Clear(int target) => Registers(Prefix.Operand66, Map.Escape, 0xEF, target, target, target);

    /// <summary>vpbroadcastd zmm, dword [at + displacement].</summary>
    public void BroadcastInt(int target, int at, int displacement) => Memory(Prefix.Operand66, Map.Escape38, false, 0x58, target, 0, at, displacement, broadcast: false);

    /// <summary>vpdpbusd sums, unsignedBytes, dword [at + displacement] to all lanes: adds four products of unsigned with signed bytes to every lane.</summary>
    public void DotBytes(int sums, int unsignedBytes, int at, int displacement) => Memory(Prefix.Operand66, Map.Escape38, false, 0x50, sums, unsignedBytes, at, displacement, broadcast: true);

    /// <summary>vpaddd target, a, b.</summary>
    public void AddInts(int target, int a, int b) => Registers(Prefix.Operand66, Map.Escape, 0xFE, target, a, b);

    /// <summary>vcvtdq2ps target, source.</summary>
    public void IntsToFloats(int target, int source) => Registers(Prefix.None, Map.Escape, 0x5B, target, 0, source);

    /// <summary>vcvtph2ps zmm, [at + displacement]: sixteen halves.</summary>
    public void LoadHalves(int target, int at, int displacement) => Memory(Prefix.Operand66, Map.Escape38, false, 0x13, target, 0, at, displacement, broadcast: false);

    /// <summary>vmulps target, a, dword [at + displacement] to all lanes.</summary>
    public void MultiplyBroadcast(int target, int a, int at, int displacement) => Memory(Prefix.None, Map.Escape, false, 0x59, target, a, at, displacement, broadcast: true);

    /// <summary>vfmadd231ps sums, a, b: sums += a·b with one rounding.</summary>
    public void MultiplyAdd(int sums, int a, int b) => Registers(Prefix.Operand66, Map.Escape38, 0xB8, sums, a, b);

    /// <summary>vpslld target, dword [at + displacement] to all lanes, bits.</summary>
    public void BroadcastIntShifted(int target, int at, int displacement, byte bits)
    {
        Memory(Prefix.Operand66, Map.Escape, false, 0x72, 6, target, at, displacement, broadcast: true);
        Bytes(bits);
    }

    /// <summary>vpsllw (bits above 0) or vpsrlw (below 0) target, [at + displacement], bits: shifts 16-bit lanes.</summary>
    public void ShiftWords(int target, int at, int displacement, int bits)
    {
        Memory(Prefix.Operand66, Map.Escape, false, 0x71, bits > 0 ? 6 : 2, target, at, displacement, broadcast: false);
        Bytes((byte)Math.Abs(bits));
    }

    /// <summary>vpsrad target, source, bits: shifts integers right, keeping the sign.</summary>
    public void ShiftIntsRight(int target, int source, byte bits)
    {
        Registers(Prefix.Operand66, Map.Escape, 0x72, 4, target, source);
        Bytes(bits);
    }

    /// <summary>vpslld target, source, bits.</summary>
    public void ShiftInts(int target, int source, byte bits)
    {
        Registers(Prefix.Operand66, Map.Escape, 0x72, 6, target, source);
        Bytes(bits);
    }

    /// <summary>vpandd target, a, b.</summary>
    public void And(int target, int a, int b) => Registers(Prefix.Operand66, Map.Escape, 0xDB, target, a, b);

    /// <summary>The same with [at + displacement] for b.</summary>
    public void And(int target, int a, int at, int displacement) => Memory(Prefix.Operand66, Map.Escape, false, 0xDB, target, a, at, displacement, broadcast: false);

    /// <summary>vpternlogd target, a, b: target |= a &amp; b.</summary>
    public void OrAnd(int target, int a, int b)
    {
        Registers(Prefix.Operand66, Map.Escape3A, 0x25, target, a, b);
        Bytes(0xF8);
    }

    /// <summary>The same with [at + displacement] for b.</summary>
    public void OrAnd(int target, int a, int at, int displacement)
    {
        Memory(Prefix.Operand66, Map.Escape3A, false, 0x25, target, a, at, displacement, broadcast: false);
        Bytes(0xF8);
    }

    /// <summary>vpshufb target, table, indices: looks bytes up in sixteen, per 128 bits.</summary>
    public void LookUp(int target, int table, int indices) => Registers(Prefix.Operand66, Map.Escape38, 0x00, target, table, indices);

    /// <summary>vpmovzxbd or vpmovsxbd zmm, [at + displacement]: sixteen bytes to integers.</summary>
    public void WidenBytes(int target, int at, int displacement, bool signed) => Memory(Prefix.Operand66, Map.Escape38, false, signed ? (byte)0x21 : (byte)0x31, target, 0, at, displacement, broadcast: false);

    /// <summary>vpmovzxbw zmm, [at + displacement]: 32 bytes to 16-bit numbers.</summary>
    public void WidenBytesToWords(int target, int at, int displacement) => Memory(Prefix.Operand66, Map.Escape38, false, 0x30, target, 0, at, displacement, broadcast: false);

    /// <summary>vpdpwssd sums, words, dword [at + displacement] to all lanes: adds two products of 16-bit numbers to every lane.</summary>
    public void DotWords(int sums, int words, int at, int displacement) => Memory(Prefix.Operand66, Map.Escape38, false, 0x52, sums, words, at, displacement, broadcast: true);

    /// <summary>vmulps target, a, b.</summary>
    public void Multiply(int target, int a, int b) => Registers(Prefix.None, Map.Escape, 0x59, target, a, b);

    /// <summary>vcvtdq2ps target, dword [at + displacement] to all lanes.</summary>
    public void BroadcastIntToFloat(int target, int at, int displacement) => Memory(Prefix.None, Map.Escape, false, 0x5B, target, 0, at, displacement, broadcast: true);

    /// <summary>vfmadd213ps target, a, [at + displacement]: target = target·a + memory.</summary>
    public void MultiplyAddMemory(int target, int a, int at, int displacement) => Memory(Prefix.Operand66, Map.Escape38, false, 0xA8, target, a, at, displacement, broadcast: false);

    /// <summary>prefetcht0 [at + displacement]; only the first eight registers.</summary>
    public void Prefetch(int at, int displacement)
    {
        Bytes(0x0F, 0x18, (byte)(0x88 | at));
        Int32(displacement);
    }

    /// <summary>add r64, constant.</summary>
    public void AddConstant(int register, int value)
    {
        Bytes((byte)(register >= 8 ? 0x49 : 0x48), 0x81, (byte)(0xC0 | (register & 7)));
        Int32(value);
    }

    /// <summary>dec r64 and a jump back while it is not zero.</summary>
    public void LoopWhileNotZero(int counter, int start)
    {
        Bytes((byte)(counter >= 8 ? 0x49 : 0x48), 0xFF, (byte)(0xC8 | (counter & 7)), 0x0F, 0x85);
        Int32(start - (_code.Count + 4));
    }

    /// <summary>vzeroupper and ret.</summary>
    public void Return() => Bytes(0xC5, 0xF8, 0x77, 0xC3);

    private void Registers(Prefix prefix, Map map, byte opcode, int register, int second, int third)
    {
        Evex(prefix, map, wide: false, opcode, register, second, third >> 3 & 1, third >> 4 & 1, broadcast: false);
        Bytes((byte)(0xC0 | (register & 7) << 3 | (third & 7)));
    }

    private void Memory(Prefix prefix, Map map, bool wide, byte opcode, int register, int second, int at, int displacement, bool broadcast)
    {
        if ((at & 7) == 4)
            throw new ArgumentOutOfRangeException(nameof(at), at, "rsp and r12 cannot be used as a base here.");
        Evex(prefix, map, wide, opcode, register, second, at >> 3 & 1, 0, broadcast);
        Bytes((byte)(0x80 | (register & 7) << 3 | (at & 7)));
        Int32(displacement); // four bytes: a one-byte displacement would be scaled by the operand's size
    }

    /// <summary>The four-byte prefix with 512-bit length. Register bits 3 and 4, the second operand and the base's bit 3 are stored inverted.</summary>
    private void Evex(Prefix prefix, Map map, bool wide, byte opcode, int register, int second, int baseBit3, int thirdBit4, bool broadcast) => Bytes(
        0x62,
        (byte)((~register >> 3 & 1) << 7 | (thirdBit4 ^ 1) << 6 | (baseBit3 ^ 1) << 5 | (~register >> 4 & 1) << 4 | (int)map),
        (byte)((wide ? 1 : 0) << 7 | (~second & 15) << 3 | 4 | (int)prefix),
        (byte)(2 << 5 | (broadcast ? 1 : 0) << 4 | (~second >> 4 & 1) << 3),
        opcode);

    private void Bytes(params ReadOnlySpan<byte> bytes) => _code.AddRange(bytes);

    private void Int32(int value) => Bytes((byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24));
}
