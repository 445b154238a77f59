using Glimmer.Kernels;
using Glimmer.Models.Loading;
using Glimmer.Models.Memory;
using Glimmer.Testing;

namespace Glimmer.Models.Tests.Memory;

public sealed unsafe class KvArenaTests
{
    private static readonly KvLayout _layout = new([new KvPlane("k", 0, 128, 2), new KvPlane("v", 0, 80, 2), new KvPlane("indexer", 0, 24, Exact: true)], 5);

    [Theory]
    [InlineData(KvFormat.F32, 128 * 4 + 80 * 4 + 24 * 4)]
    [InlineData(KvFormat.F16, 128 * 2 + 80 * 2 + 24 * 4)]
    [InlineData(KvFormat.Q8_0, 4 * 34 + 80 * 2 + 24 * 4)] // heads of 40 do not fill blocks
    public void A_token_takes_what_the_layout_says(KvFormat format, int bytes)
    {
        using KvArena arena = new(_layout, 3, 7, 2, format);
        Assert.Equal(bytes, _layout.BytesPerToken(format));
        Assert.Equal(3 * 7 * bytes + 2 * 5 * 4, arena.Bytes);
    }

    [Theory]
    [InlineData(KvFormat.F32, 0)]
    [InlineData(KvFormat.F16, 5e-4)]
    [InlineData(KvFormat.Q8_0, 5e-3)]
    public void What_was_written_is_read_and_copied(KvFormat format, double tolerance)
    {
        using KvArena arena = new(_layout, 3, 7, 0, format);
        Random random = new(1);
        float[][] rows = [.. Enumerable.Range(0, 3 * 7 * 3).Select(i => Enumerable.Range(0, _layout.Planes[i % 3].Width).Select(_ => random.NextSingle() * 2 - 1).ToArray())];
        for (int i = 0; i < rows.Length; i++)
        {
            fixed (float* values = rows[i])
                arena.Write(i % 3, i / 3 / 7, i / 3 % 7, values);
        }

        Check(exceptPage: -1);
        arena.CopyPage(0, 2, 4);
        Check(exceptPage: 2);
        for (int plane = 0; plane < 3; plane++)
        {
            for (int token = 0; token < 4; token++)
                Assert.Equal(Read(0, plane, token), Read(2, plane, token));
            Assert.NotEqual(Read(0, plane, 4), Read(2, plane, 4));
        }

        void Check(int exceptPage)
        {
            for (int i = 0; i < rows.Length; i++)
            {
                if (i / 3 / 7 == exceptPage)
                    continue;
                float[] read = Read(i / 3 / 7, i % 3, i / 3 % 7);
                for (int j = 0; j < read.Length; j++)
                    Assert.Equal(rows[i][j], read[j], i % 3 == 2 ? 0 : tolerance);
            }
        }

        float[] Read(int page, int plane, int token)
        {
            float[] values = new float[_layout.Planes[plane].Width];
            fixed (float* to = values)
                arena.Read(plane, page, token, to);
            return values;
        }
    }

    [Fact]
    public void Rows_in_single_precision_are_reached_directly_and_others_are_not()
    {
        using KvArena arena = new(_layout, 1, 4, 0, KvFormat.F16);
        Assert.True(arena.Rows(2, 0) != null);
        Assert.Throws<InvalidOperationException>(() => (nint)arena.Rows(0, 0));
        Assert.Equal(KvFormat.F16, arena.Rows(1).Format);
        Assert.Equal(KvFormat.F32, arena.Rows(2).Format);
    }

    [Fact]
    public void The_weights_decide_unless_the_options_do()
    {
        Assert.Equal(KvFormat.F32, FormatOf(Fixtures.Path("text", "glm4"), null));
        Assert.Equal(KvFormat.Q8_0, FormatOf(Fixtures.Path("text", "glm4"), KvFormat.Q8_0));
        Assert.Equal(KvFormat.F32, FormatOf(Fixtures.BundledModel, null)); // 7 KiB a token
        Assert.Equal(KvFormat.F16, FormatOf(Fixtures.BundledModel, KvFormat.F16));
        KvLayout wide = new([.. Enumerable.Range(0, 32).Select(i => new KvPlane("k", i, 128))], 0), narrow = new([.. wide.Planes.Skip(1)], 0);
        Assert.Equal(KvFormat.F16, wide.UsualFormat(roundedWeights: true));
        Assert.Equal(KvFormat.F32, wide.UsualFormat(roundedWeights: false));
        Assert.Equal(KvFormat.F32, narrow.UsualFormat(roundedWeights: true));
        Assert.Equal(Plan(null), Plan(KvFormat.F16) * 2);

        static KvFormat FormatOf(string path, KvFormat? format)
        {
            using LoadedModel loaded = ModelLoader.Load(path, new LoadOptions { KvFormat = format });
            return loaded.Model.KvFormat;
        }

        static long Plan(KvFormat? format) => ModelLoader.Plan(Fixtures.BundledModel, new LoadOptions { KvFormat = format }, 100, 1, 16).CacheBytesPerToken;
    }
}
