using Glimmer.Kernels.Integer.Emitted;

namespace Glimmer.Kernels.Tests.Integer;

/// <summary>Encodings as the GNU assembler writes them (with its option for 32-bit displacements).</summary>
public class VectorAssemblerTests
{
    [Fact]
    public void Instructions_have_their_published_encoding()
    {
        AssertCode("6261fe486faf20010000", code => code.Load(29, 7, 0x120));
        AssertCode("62517c48118940000000", code => code.Store(9, 9, 0x40));
        AssertCode("62a14540efff", code => code.Clear(23));
        AssertCode("62f27d4858b91c000000", code => code.BroadcastInt(7, 1, 0x1c));
        AssertCode("6272155050be64000000", code => code.DotBytes(15, 29, 6, 0x64));
        AssertCode("62b13548feca", code => code.AddInts(1, 9, 18));
        AssertCode("62217c485bf1", code => code.IntsToFloats(30, 17));
        AssertCode("62627d4813b700000000", code => code.LoadHalves(30, 7, 0));
        AssertCode("62610c5059ba0c000000", code => code.MultiplyBroadcast(31, 30, 2, 0xc));
        AssertCode("62825548b8f7", code => code.MultiplyAdd(22, 5, 31));
        AssertCode("62f1355872b77856341207", code => code.BroadcastIntShifted(9, 7, 0x12345678, 7));
        AssertCode("62b1654872f517", code => code.ShiftInts(3, 21, 23));
        AssertCode("62f12d4071b74000000004", code => code.ShiftWords(26, 7, 0x40, 4));
        AssertCode("62f12d4071974000000004", code => code.ShiftWords(26, 7, 0x40, -4));
        AssertCode("62913d4072e004", code => code.ShiftIntsRight(24, 24, 4));
        AssertCode("62912d40dbeb", code => code.And(5, 26, 27));
        AssertCode("62612540db9740000000", code => code.And(26, 27, 7, 0x40));
        AssertCode("6203054025d4f8", code => code.OrAnd(26, 31, 28));
        AssertCode("62631d40259740000000f8", code => code.OrAnd(26, 28, 7, 0x40));
        AssertCode("6202354000d2", code => code.LookUp(26, 25, 26));
        AssertCode("62627d4831af40000000", code => code.WidenBytes(29, 7, 0x40, signed: false));
        AssertCode("62627d4821af40000000", code => code.WidenBytes(29, 7, 0x40, signed: true));
        AssertCode("62627d48309740000000", code => code.WidenBytesToWords(26, 7, 0x40));
        AssertCode("62f22d50529e40000000", code => code.DotWords(3, 26, 6, 0x40));
        AssertCode("6201144059ee", code => code.Multiply(29, 29, 30));
        AssertCode("62f17c585b9e40000000", code => code.BroadcastIntToFloat(3, 6, 0x40));
        AssertCode("62720540a8aa40000000", code => code.MultiplyAddMemory(13, 31, 2, 0x40));
        AssertCode("0f188f40000000", code => code.Prefetch(7, 0x40));
        AssertCode("4881c720020000", code => code.AddConstant(7, 0x220));
        AssertCode("4981c178563412", code => code.AddConstant(9, 0x12345678));
        AssertCode("49ffc80f85f7ffffff", code => code.LoopWhileNotZero(8, 0));
        AssertCode("c5f877c3", code => code.Return());
    }

    [Fact]
    public void Bases_that_need_another_byte_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new VectorAssembler().Load(0, 4, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new VectorAssembler().Store(0, 12, 0));
    }

    private static void AssertCode(string expected, Action<VectorAssembler> write)
    {
        var assembler = new VectorAssembler();
        write(assembler);
        Assert.Equal(expected, Convert.ToHexStringLower(assembler.ToArray()));
    }
}
