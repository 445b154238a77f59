using Glimmer.Kernels.Formats;
using Glimmer.Kernels.Integer;
using Glimmer.Kernels.Integer.Emitted;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Tests.Integer;

public unsafe class TileTests
{
    private delegate void Tile(byte* group, byte* panel, int width, int blocks, float* results);

    public static TheoryData<BlockFormat> Formats => [.. TileLayout.All.Select(layout => layout.Format)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Emitted_code_is_used_where_the_processor_has_the_instruction(BlockFormat format)
    {
        EmittedTiles? tiles = EmittedTiles.For(TileLayout.Find(format)!);
        if (EmittedTiles.IsSupported)
            Assert.True(tiles is not null, "the emitted tiles do not agree with the scalar twin, or executable pages are forbidden");
        else
            Assert.Null(tiles);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_form_of_a_tile_agrees_with_the_scalar_twin(BlockFormat format)
    {
        TileLayout layout = TileLayout.Find(format)!;
        var random = new Random(1);
        foreach (int blocks in new[] { 1, 2, 5 })
        {
            using var group = new NativeBlock(blocks * layout.BlockBytes);
            EmittedTiles.FillRandom(layout, group.Start, blocks, random);
            int columns = blocks * layout.BlockColumns;
            for (int width = 1; width <= QuantisedRows.PanelRows; width++)
            {
                float[] x = TestSets.Normal(random, width * columns), expected = new float[16 * width], actual = new float[16 * width];
                using var panel = new NativeBlock(QuantisedRows.Size(width, columns, layout.IsSuper));
                var rows = new QuantisedRows(panel.Start, width, columns, layout.IsSuper);
                fixed (float* from = x, twin = expected, results = actual)
                {
                    rows.QuantisePanel<ScalarLanes>(from, columns, 0);
                    ScalarTile.Run(layout, group.Start, panel.Start, width, blocks, twin);
                    foreach ((string name, Tile tile) in Forms(layout))
                    {
                        tile(group.Start, panel.Start, width, blocks, results);
                        TestSets.AssertSameBits(expected, actual, $"{name}, {format}, {blocks} blocks, {width} rows");
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Extreme_codes_and_activations_do_not_saturate(BlockFormat format)
    {
        TileLayout layout = TileLayout.Find(format)!;
        int columns = layout.BlockColumns;
        foreach (byte fill in new byte[] { 0x00, 0xFF, 0x7F, 0x80 })
        {
            using var group = new NativeBlock(layout.BlockBytes);
            new Span<byte>(group.Start, layout.BlockBytes).Fill(fill);
            EmittedTiles.LimitRunScales(layout, group.Start);
            for (int row = 0; row < 16 && layout.Scale == ScaleKind.Half; row++)
                ((Half*)group.Start)[row] = (Half)1;
            for (int row = 0; row < 16 && layout.HasOffsets; row++)
                ((Half*)(group.Start + layout.OffsetAt))[row] = (Half)1;
            float[] x = [.. Enumerable.Repeat(1f, columns), .. Enumerable.Repeat(-1f, columns)], expected = new float[32], actual = new float[32];
            using var panel = new NativeBlock(QuantisedRows.Size(2, columns, layout.IsSuper));
            var rows = new QuantisedRows(panel.Start, 2, columns, layout.IsSuper);
            fixed (float* from = x, twin = expected, results = actual)
            {
                rows.QuantisePanel<ScalarLanes>(from, columns, 0);
                ScalarTile.Run(layout, group.Start, panel.Start, 2, 1, twin);
                foreach ((string name, Tile tile) in Forms(layout))
                {
                    tile(group.Start, panel.Start, 2, 1, results);
                    TestSets.AssertSameBits(expected, actual, $"{name}, {format}, bytes {fill}");
                }
            }
        }
    }

    private static List<(string Name, Tile Tile)> Forms(TileLayout layout)
    {
        List<(string Name, Tile Tile)> forms = [("portable", (group, panel, width, blocks, results) => VectorTile<ByteDots128, Lanes128>.Run(layout, group, panel, width, blocks, results))];
        if (InstructionSets.IsSupported(InstructionSet.Avx2))
            forms.Add(("256 bits", (group, panel, width, blocks, results) => VectorTile<ByteDots256, Lanes256>.Run(layout, group, panel, width, blocks, results)));
        if (InstructionSets.IsSupported(InstructionSet.Avx512))
            forms.Add(("512 bits", (group, panel, width, blocks, results) => VectorTile<ByteDots512, Lanes512>.Run(layout, group, panel, width, blocks, results)));
        if (EmittedTiles.For(layout) is { } emitted)
        {
            forms.Add(("emitted", (group, panel, width, blocks, results) => emitted.Run(group, panel, width, blocks, results, streaming: false)));
            forms.Add(("emitted, streaming", (group, panel, width, blocks, results) => emitted.Run(group, panel, width, blocks, results, streaming: true)));
        }


        return forms;
    }
}
