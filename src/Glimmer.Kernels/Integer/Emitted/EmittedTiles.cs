using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer.Emitted;

/// <summary>The emitted tiles of each layout, written at first use.</summary>
/// <remarks>
/// Each tile is compared with the scalar twin on random data before it is used; a layout with one that differs in a bit goes without. Off where the processor
/// lacks the instruction, where the system forbids executable pages, and with <c>GLIMMER_KERNELS_EMIT=0</c>.
/// </remarks>
internal sealed unsafe class EmittedTiles
{
    /// <summary>Set to 0 to do without emitted code.</summary>
    public const string EnvironmentVariable = "GLIMMER_KERNELS_EMIT";

    private static readonly Dictionary<TileLayout, Lazy<EmittedTiles?>> _byLayout = TileLayout.All.ToDictionary(layout => layout, layout => new Lazy<EmittedTiles?>(() => TryEmit(layout)));

    private readonly nint[] _tiles = new nint[2 * QuantisedRows.PanelRows + 1];
    private readonly byte[] _constants;
    private readonly byte* _aligned;

    private EmittedTiles(TileLayout layout)
    {
        byte[] constants = TileCode.ConstantsOf(layout);
        _constants = GC.AllocateArray<byte>(constants.Length + 64, pinned: true);
        _aligned = (byte*)(((nint)Unsafe.AsPointer(ref _constants[0]) + 63) & ~63); // pinned, and kept by the field
        constants.CopyTo(new Span<byte>(_aligned, constants.Length));
    }

    /// <summary>Whether the processor has the instructions.</summary>
    internal static bool IsSupported =>
        InstructionSets.IsSupported(InstructionSet.Avx512) && RuntimeInformation.ProcessArchitecture == Architecture.X64 && OperatingSystem.IsLinux()
        && (X86Base.CpuId(7, 0).Ecx & 1 << 11) != 0 && Environment.GetEnvironmentVariable(EnvironmentVariable) != "0";

    /// <summary>The tiles of a layout, or null when it has to do without.</summary>
    public static EmittedTiles? For(TileLayout layout) => _byLayout[layout].Value;

    /// <summary>Runs a tile. The call stays in the code for microseconds, so the garbage collector need not be told.</summary>
    /// <param name="group">Sixteen packed rows.</param>
    /// <param name="panel">Activations.</param>
    /// <param name="width">Rows of the panel.</param>
    /// <param name="blocks">Blocks of a row.</param>
    /// <param name="results">Row i's sixteen results from results + 16·i, at a multiple of 64 bytes.</param>
    /// <param name="streaming">Whether the weights come from memory and not from a cache.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(byte* group, byte* panel, int width, int blocks, float* results, bool streaming) =>
        ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, float*, long, byte*, void>)_tiles[streaming ? width : width + QuantisedRows.PanelRows])(group, panel, results, blocks, _aligned);

    private static EmittedTiles? TryEmit(TileLayout layout)
    {
        if (!IsSupported)
            return null;
        var tiles = new EmittedTiles(layout);
        byte[][] code = new byte[tiles._tiles.Length][];
        code[0] = [];
        for (int i = 1; i < code.Length; i++)
            code[i] = TileCode.Write(layout, WidthOf(i), IsStreaming(i));

        // One block of pages for all, every tile on a cache line of its own.
        int[] starts = new int[code.Length];
        for (int i = 1; i < code.Length; i++)
            starts[i] = (starts[i - 1] + code[i - 1].Length + 63) / 64 * 64;
        byte[] all = new byte[starts[^1] + code[^1].Length];
        for (int i = 1; i < code.Length; i++)
            code[i].CopyTo(all, starts[i]);
        byte* page = (byte*)ExecutableMemory.TryCreate(all);
        if (page == null)
            return null;
        for (int i = 1; i < code.Length; i++)
            tiles._tiles[i] = (nint)(page + starts[i]);
        for (int i = 1; i < code.Length; i++)
        {
            if (!tiles.AgreesWithTwin(layout, WidthOf(i), IsStreaming(i)))
                return null;
        }

        return tiles;
    }

    // First the streaming ones of every width, then the others.
    private static int WidthOf(int tile) => (tile - 1) % QuantisedRows.PanelRows + 1;

    private static bool IsStreaming(int tile) => tile <= QuantisedRows.PanelRows;

    /// <summary>Runs a tile and the scalar twin on the same random blocks.</summary>
    private bool AgreesWithTwin(TileLayout layout, int width, bool streaming)
    {
        int blocks = layout.IsSuper ? 2 : 3;
        using var group = new NativeBlock(blocks * layout.BlockBytes);
        FillRandom(layout, group.Start, blocks, new Random(width));
        int columns = blocks * layout.BlockColumns;
        float[] values = new float[width * columns];
        var random = new Random(width);
        for (int i = 0; i < values.Length; i++)
            values[i] = random.NextSingle() - 0.5f;
        using var panel = new NativeBlock(QuantisedRows.Size(width, columns, layout.IsSuper));
        var rows = new QuantisedRows(panel.Start, width, columns, layout.IsSuper);
        fixed (float* x = values)
            rows.QuantisePanel<ScalarLanes>(x, columns, 0);
        float* actual = stackalloc float[16 * QuantisedRows.PanelRows], expected = stackalloc float[16 * QuantisedRows.PanelRows];
        Run(group.Start, panel.Start, width, blocks, actual, streaming);
        ScalarTile.Run(layout, group.Start, panel.Start, width, blocks, expected);
        return new ReadOnlySpan<int>(expected, 16 * width).SequenceEqual(new ReadOnlySpan<int>(actual, 16 * width));
    }

    /// <summary>Random codes with scales of ordinary size.</summary>
    internal static void FillRandom(TileLayout layout, byte* group, int blocks, Random random)
    {
        random.NextBytes(new Span<byte>(group, blocks * layout.BlockBytes));
        for (int block = 0; block < blocks; block++, group += layout.BlockBytes)
        {
            LimitRunScales(layout, group);
            for (int row = 0; row < 16; row++)
            {
                if (layout.Scale == ScaleKind.Power)
                    group[row] = (byte)random.Next(110, 130);
                else
                    ((Half*)group)[row] = (Half)(random.NextSingle() - 0.5f);
                if (layout.HasOffsets)
                    ((Half*)(group + layout.OffsetAt))[row] = (Half)(random.NextSingle() - 0.5f);
            }
        }
    }

    /// <summary>Brings unsigned run scales and offsets into the six bits that formats give them.</summary>
    internal static void LimitRunScales(TileLayout layout, byte* block)
    {
        if (!layout.IsSuper || layout.SignedScales)
            return;
        for (int at = layout.RunScalesAt; at < layout.RunOffsetsAt + layout.Runs * 16; at++)
            block[at] &= 63;
    }
}
