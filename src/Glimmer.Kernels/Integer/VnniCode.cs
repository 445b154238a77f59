using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Glimmer.Kernels.Integer.Emitted;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>
/// The 512-bit integer dot product (AVX-512 VNNI, vpdpbusd), for which the runtime has no intrinsic: its tiles are written as machine code at first use.
/// </summary>
/// <remarks>
/// Each tile is compared with the scalar twin on random data before it is used, and left out if a bit differs. Off where the processor lacks the
/// instruction, where the system forbids executable pages, and with <c>GLIMMER_KERNELS_EMIT=0</c>.
/// </remarks>
internal static unsafe class VnniCode
{
    /// <summary>Set to 0 to do without emitted code.</summary>
    public const string EnvironmentVariable = "GLIMMER_KERNELS_EMIT";

    private const int Rdi = 7, Rsi = 6, Rdx = 2, Rcx = 1, R8 = 8, R9 = 9;

    private static readonly nint[]? _tiles = TryEmit();

    /// <summary>Whether the tiles can be used.</summary>
    public static bool IsAvailable => _tiles is not null;

    /// <summary>Whether the processor has the instruction.</summary>
    internal static bool IsSupported =>
        InstructionSets.IsSupported(InstructionSet.Avx512) && RuntimeInformation.ProcessArchitecture == Architecture.X64
        && (X86Base.CpuId(7, 0).Ecx & 1 << 11) != 0;

    /// <summary>The tile for so many (1 … 8) rows of activations or the next wider one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static delegate* unmanaged[SuppressGCTransition]<byte*, int*, float*, int*, long, float*, void> Tile(int count) =>
        (delegate* unmanaged[SuppressGCTransition]<byte*, int*, float*, int*, long, float*, void>)_tiles![count];

    /// <summary>
    /// Machine code of f(weights, bytes, scales, corrections, blocks, results) for some rows of a panel, called by the System V convention. A call stays
    /// in the code for microseconds, so the garbage collector need not be told.
    /// </summary>
    internal static byte[] Emit(int columns)
    {
        // Registers: integer sums first (few columns spread a block over several to overlap the latency), then results, then three for work.
        const int Weights = 29, Scale = 30, Product = 31, Panel = Int8Activations.PanelRows;
        int spread = columns == 1 ? 4 : columns == 2 ? 2 : 1, results = columns * spread;
        var code = new VectorAssembler();
        for (int c = 0; c < columns; c++)
            code.Clear(results + c);
        int start = code.Position;
        for (int c = 0; c < columns; c++)
        {
            code.BroadcastInt(c, Rcx, 4 * c);
            for (int s = 1; s < spread; s++)
                code.Clear(c + s * columns);
        }

        for (int k = 0; k < 8; k++)
        {
            code.Load(Weights, Rdi, 32 + 64 * k);
            for (int c = 0; c < columns; c++)
                code.DotBytes(c + k % spread * columns, Weights, Rsi, 4 * (k * Panel + c));
        }

        code.LoadHalves(Scale, Rdi, 0);
        for (int c = 0; c < columns; c++)
        {
            for (int s = 1; s < spread; s++)
                code.AddInts(c, c, c + s * columns);
            code.MultiplyBroadcast(Product, Scale, Rdx, 4 * c);
            code.IntsToFloats(c, c);
            code.MultiplyAdd(results + c, c, Product);
        }

        code.AddConstant(Rdi, PackedMatrix.BlockBytes);
        code.AddConstant(Rsi, Panel * 32);
        code.AddConstant(Rdx, Panel * 4);
        code.AddConstant(Rcx, Panel * 4);
        code.LoopWhileNotZero(R8, start);
        for (int c = 0; c < columns; c++)
            code.Store(results + c, R9, 64 * c);
        code.Return();
        return code.ToArray();
    }

    private static nint[]? TryEmit()
    {
        if (!IsSupported || Environment.GetEnvironmentVariable(EnvironmentVariable) == "0")
            return null;
        nint[] tiles = new nint[Int8Activations.PanelRows + 1];
        for (int count = 1; count < tiles.Length; count++)
        {
            int columns = count switch { <= 2 => count, <= 4 => 4, _ => 8 };
            bool isNew = count is 1 or 2 or 3 or 5;
            tiles[count] = isNew ? (nint)ExecutableMemory.TryCreate(Emit(columns)) : tiles[count - 1];
            if (tiles[count] == 0 || (isNew && !AgreesWithTwin(tiles[count], columns)))
                return null;
        }

        return tiles;
    }

    /// <summary>Runs a tile and the scalar twin on the same random blocks.</summary>
    private static bool AgreesWithTwin(nint tile, int columns)
    {
        const int Blocks = 5;
        var random = new Random(columns);
        byte* group = stackalloc byte[Blocks * PackedMatrix.BlockBytes];
        random.NextBytes(new Span<byte>(group, Blocks * PackedMatrix.BlockBytes));
        for (int i = 0; i < Blocks * 16; i++)
            *(Half*)(group + i / 16 * PackedMatrix.BlockBytes + i % 16 * 2) = (Half)(random.NextSingle() - 0.5f);
        float* x = stackalloc float[Int8Activations.PanelRows * Blocks * 32];
        for (int i = 0; i < Int8Activations.PanelRows * Blocks * 32; i++)
            x[i] = random.NextSingle() - 0.5f;
        byte* memory = stackalloc byte[(int)Int8Activations.Size(Int8Activations.PanelRows, Blocks * 32)];
        Int8Activations activations = Int8Activations.Quantise<ScalarLanes>(x, Blocks * 32, Int8Activations.PanelRows, Blocks * 32, memory);
        float* actual = stackalloc float[16 * Int8Activations.PanelRows], expected = stackalloc float[16];
        ((delegate* unmanaged[SuppressGCTransition]<byte*, int*, float*, int*, long, float*, void>)tile)(group, activations.Bytes, activations.Scales, activations.Corrections, Blocks, actual);
        for (int c = 0; c < columns; c++)
        {
            ScalarInt8Tile.Run(group, activations, c, 1, expected);
            if (!new ReadOnlySpan<int>(expected, 16).SequenceEqual(new ReadOnlySpan<int>(actual + 16 * c, 16)))
                return false;
        }

        return true;
    }
}

/// <summary>Emitted 512-bit integer dot products; eight rows of activations, a whole panel, at once.</summary>
internal readonly unsafe struct VnniInt8Tile : IInt8Tile
{
    public static int Width => Int8Activations.PanelRows;

    public static void Run(byte* group, in Int8Activations x, int first, int count, float* results) =>
        VnniCode.Tile(count)(group, x.BytesAt(first, 0), x.Scales + x.At(first, 0), x.Corrections + x.At(first, 0), x.Blocks, results);
}
