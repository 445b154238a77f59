using Glimmer.Testing;

namespace Glimmer.Kernels.Tests.Attention;

public unsafe class PagedAttentionTests
{
    public static TheoryData<int, int, int, int> Shapes => new()
    {
        { 4, 4, 16, 16 }, { 4, 2, 24, 20 }, { 8, 1, 64, 64 }, { 6, 2, 8, 8 }, { 5, 1, 40, 33 }, { 40, 2, 32, 48 },
    };

    public static TheoryData<int, int, int, int, KvFormat> ShapesAndFormats()
    {
        TheoryData<int, int, int, int, KvFormat> data = [];
        foreach ((int heads, int kvHeads, int keyWidth, int valueWidth) in Shapes.Select(row => row.Data).Append((8, 2, 64, 64)))
        {
            foreach (KvFormat format in Enum.GetValues<KvFormat>())
                data.Add(heads, kvHeads, keyWidth, valueWidth, format);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Causal_attention_matches_the_definition(int heads, int kvHeads, int keyWidth, int valueWidth)
    {
        var cache = new Cache(new Random(1), heads, kvHeads, keyWidth, valueWidth, tokens: 83, pageTokens: 16);
        using var team = new ThreadTeam(2);
        float[] y = cache.Run(InstructionSets.Best, team, [(0, 83)]);
        for (int row = 0; row < 83; row++)
            AssertRow(cache, row, [.. Enumerable.Range(0, row + 1)], y.AsSpan(row * heads * valueWidth, heads * valueWidth));
    }

    [Theory]
    [MemberData(nameof(ShapesAndFormats))]
    public void Chunks_pages_threads_and_sets_do_not_change_a_bit(int heads, int kvHeads, int keyWidth, int valueWidth, KvFormat format)
    {
        const int Tokens = 71;
        float[]? expected = null;
        using var one = new ThreadTeam(1);
        using var three = new ThreadTeam(3);
        foreach (int pageTokens in new[] { 71, 32, 16, 7 })
        {
            var cache = new Cache(new Random(2), heads, kvHeads, keyWidth, valueWidth, Tokens, pageTokens, format: format);
            expected ??= cache.Run(InstructionSet.Scalar, one, [(0, Tokens)]);
            foreach (InstructionSet set in TestSets.Vector)
            {
                string what = $"{set}, pages of {pageTokens}";
                TestSets.AssertSameBits(expected, cache.Run(set, three, [(0, Tokens)]), what);
                TestSets.AssertSameBits(expected, cache.Run(set, one, [(0, 5), (5, 1), (6, 0), (6, 30), (36, 34), (70, 1)]), what + ", chunks");
                TestSets.AssertSameBits(expected, cache.Run(set, three, [.. Enumerable.Range(0, Tokens).Select(i => (i, 1))]), what + ", single rows");
            }
        }
    }

    [Theory]
    [InlineData(8, 2, 64, 64, false, KvFormat.F32)]
    [InlineData(8, 2, 64, 64, false, KvFormat.F16)]
    [InlineData(8, 2, 64, 128, false, KvFormat.Q8_0)]
    [InlineData(20, 1, 96, 64, true, KvFormat.F32)]
    [InlineData(20, 1, 96, 64, true, KvFormat.F16)]
    [InlineData(4, 1, 96, 64, true, KvFormat.F16)]
    [InlineData(20, 1, 96, 64, true, KvFormat.Q8_0)]
    public void Threads_that_share_the_keys_of_a_row_do_not_change_a_bit(int heads, int kvHeads, int keyWidth, int valueWidth, bool shared, KvFormat format)
    {
        const int Tokens = 2 * PagedAttention.SpanKeys + 83;
        var cache = new Cache(new Random(9), heads, kvHeads, keyWidth, valueWidth, Tokens, pageTokens: 48, shared, format: format);
        using var one = new ThreadTeam(1);
        using var four = new ThreadTeam(4);
        (int, int)[] last = [(Tokens - 1, 1)], several = [(Tokens - 1, 1), (300, 2), (PagedAttention.SpanKeys, 1), (Tokens - 6, 3)];
        float[] expected = cache.Run(InstructionSet.Scalar, one, several);
        int row = heads * valueWidth;
        foreach (InstructionSet set in TestSets.Runnable)
        {
            TestSets.AssertSameBits(expected.AsSpan((Tokens - 1) * row), cache.Run(set, four, last).AsSpan((Tokens - 1) * row), $"{set}, one row");
            TestSets.AssertSameBits(expected, cache.Run(set, four, several), $"{set}, several rows");
            if (set != InstructionSet.Scalar)
                TestSets.AssertSameBits(expected.AsSpan((Tokens - 6) * row, 3 * row), cache.Run(set, one, [(Tokens - 80, 80)]).AsSpan((Tokens - 6) * row, 3 * row), $"{set}, a longer chunk");
        }

        AssertRow(cache, Tokens - 1, [.. Enumerable.Range(0, Tokens)], expected.AsSpan((Tokens - 1) * row, row));
    }

    [Theory]
    [InlineData(KvFormat.F16, 6e-4)]
    [InlineData(KvFormat.Q8_0, 1.5e-2)]
    public void Rounded_keys_and_values_stay_near_exact_ones(KvFormat format, double tolerance)
    {
        const int Tokens = 200;
        var exact = new Cache(new Random(10), 4, 2, 64, 64, Tokens, pageTokens: 32);
        var rounded = new Cache(new Random(10), 4, 2, 64, 64, Tokens, pageTokens: 32, format: format);
        using var team = new ThreadTeam(2);
        float[] expected = exact.Run(InstructionSets.Best, team, [(0, Tokens)]), actual = rounded.Run(InstructionSets.Best, team, [(0, Tokens)]);
        double worst = expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max();
        Assert.InRange(worst, tolerance / 100, tolerance * 3);
        double error = Math.Sqrt(expected.Zip(actual, (e, a) => (double)(e - a) * (e - a)).Sum() / expected.Sum(e => (double)e * e));
        Assert.InRange(error, 0, tolerance);
    }

    [Fact]
    public void Values_that_a_row_does_not_see_cannot_touch_it()
    {
        var cache = new Cache(new Random(3), 4, 1, 16, 16, tokens: 40, pageTokens: 8);
        using var team = new ThreadTeam(1);
        float[] before = cache.Run(InstructionSets.Best, team, [(0, 40)]);
        cache.Spoil(39);
        float[] after = cache.Run(InstructionSets.Best, team, [(0, 40)]);
        TestSets.AssertSameBits(before.AsSpan(0, 39 * 64), after.AsSpan(0, 39 * 64), "earlier rows");
        Assert.True(float.IsNaN(after[39 * 64]));
    }

    [Fact]
    public void A_list_of_all_positions_is_dense_attention_and_a_short_one_is_the_definition()
    {
        var random = new Random(4);
        var cache = new Cache(random, 6, 1, 48, 32, tokens: 90, pageTokens: 16);
        using var team = new ThreadTeam(2);
        float[] dense = cache.Run(InstructionSets.Best, team, [(0, 90)]);
        int[][] all = [.. Enumerable.Range(0, 90).Select(row => Enumerable.Range(0, row + 1).ToArray())];
        foreach (InstructionSet set in TestSets.Runnable)
            TestSets.AssertSameBits(dense, cache.Run(set, team, [(0, 90)], all), set.ToString());

        int[][] some = [.. all.Select(list => list.Where(_ => random.Next(3) == 0).ToArray())];
        float[] sparse = cache.Run(InstructionSets.Best, team, [(0, 90)], some);
        for (int row = 0; row < 90; row++)
            AssertRow(cache, row, some[row], sparse.AsSpan(row * 6 * 32, 6 * 32));
    }

    [Fact]
    public void Attention_that_is_not_causal_sees_everything()
    {
        var cache = new Cache(new Random(5), 4, 4, 16, 16, tokens: 37, pageTokens: 37);
        using var team = new ThreadTeam(2);
        float[] y = cache.Run(InstructionSets.Best, team, [(0, 37)], visible: 37);
        for (int row = 0; row < 37; row++)
            AssertRow(cache, row, [.. Enumerable.Range(0, 37)], y.AsSpan(row * 64, 64));
    }

    [Fact]
    public void Keys_and_values_may_share_their_rows()
    {
        // Absorbed MLA: the value is the first part of the key row.
        var cache = new Cache(new Random(6), 5, 1, 40, 32, tokens: 50, pageTokens: 16, shared: true);
        using var team = new ThreadTeam(2);
        float[] y = cache.Run(InstructionSets.Best, team, [(0, 50)]);
        for (int row = 0; row < 50; row++)
            AssertRow(cache, row, [.. Enumerable.Range(0, row + 1)], y.AsSpan(row * 160, 160));
    }

    [Fact]
    public void Large_scores_neither_overflow_nor_drown()
    {
        var cache = new Cache(new Random(7), 2, 1, 16, 16, tokens: 70, pageTokens: 16, size: 60);
        using var team = new ThreadTeam(1);
        float[] y = cache.Run(InstructionSets.Best, team, [(0, 70)]);
        for (int row = 0; row < 70; row++)
            AssertRow(cache, row, [.. Enumerable.Range(0, row + 1)], y.AsSpan(row * 32, 32), 1e-2);
    }

    [Fact]
    public void Steady_use_allocates_nothing()
    {
        var cache = new Cache(new Random(8), 8, 2, 32, 32, tokens: 300, pageTokens: 32);
        using var team = new ThreadTeam(2);
        Assert.Equal(0, cache.AllocationPerRun(team));
    }

    [Fact]
    public void Impossible_shapes_are_refused()
    {
        using var team = new ThreadTeam(1);
        var rows = new KvRows(null, KvFormat.F32, 1, 0, 0, 0);
        Assert.Throws<ArgumentException>(() => PagedAttention.Run(team, new AttentionShape(5, 2, 8, 8, 1), rows, rows, [], 0));
        Assert.Throws<ArgumentException>(() => PagedAttention.Run(team, new AttentionShape(4, 0, 8, 8, 1), rows, rows, [], 0));
        Assert.Throws<ArgumentException>(() => PagedAttention.Run(team, new AttentionShape(4, 4, 0, 8, 1), rows, rows, [], 0));
        var blocks = new KvRows(null, KvFormat.Q8_0, 1, 0, 0, 0);
        Assert.Throws<ArgumentException>(() => PagedAttention.Run(team, new AttentionShape(4, 4, 40, 64, 1), blocks, blocks, [], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PagedAttention.Run(team, new AttentionShape(4, 4, 8, 8, 1), rows, rows, [], 1));
    }

    private static void AssertRow(Cache cache, int row, int[] positions, Span<float> actual, double tolerance = 3e-6)
    {
        int heads = cache.Shape.QueryHeads, valueWidth = cache.Shape.ValueWidth;
        for (int head = 0; head < heads; head++)
        {
            double[] expected = cache.Exact(row, head, positions);
            for (int i = 0; i < valueWidth; i++)
                Assert.Equal(expected[i], actual[head * valueWidth + i], tolerance * (1 + Math.Abs(expected[i])));
        }
    }

    /// <summary>Random queries, keys and values; the pages of the only sequence lie in a random order.</summary>
    private sealed class Cache
    {
        private readonly float[] _queries, _keys, _values;
        private readonly byte[] _storedKeys, _storedValues;
        private readonly int[] _pages;
        private readonly int _tokens, _pageTokens;
        private readonly bool _shared;

        public Cache(Random random, int heads, int kvHeads, int keyWidth, int valueWidth, int tokens, int pageTokens, bool shared = false, float size = 1, KvFormat format = KvFormat.F32)
        {
            Format = format;
            Shape = new AttentionShape(heads, kvHeads, keyWidth, valueWidth, 1 / MathF.Sqrt(keyWidth));
            (_tokens, _pageTokens, _shared) = (tokens, pageTokens, shared);
            float[] queries = TestSets.Normal(random, tokens * heads * keyWidth);
            float[] keys = [.. TestSets.Normal(random, tokens * kvHeads * keyWidth).Select(v => v * size)];
            float[] values = TestSets.Normal(random, tokens * kvHeads * valueWidth);
            int pages = (tokens + pageTokens - 1) / pageTokens;
            _pages = GC.AllocateArray<int>(pages, pinned: true);
            int[] order = [.. Enumerable.Range(0, pages)];
            new Random(99).Shuffle(order);
            order.CopyTo(_pages, 0);
            _queries = GC.AllocateArray<float>(queries.Length, pinned: true);
            queries.CopyTo(_queries, 0);
            _keys = GC.AllocateArray<float>(pages * pageTokens * kvHeads * keyWidth, pinned: true);
            _values = GC.AllocateArray<float>(pages * pageTokens * kvHeads * valueWidth, pinned: true);
            Array.Fill(_keys, float.NaN); // what no token wrote must not be read
            Array.Fill(_values, float.NaN);
            for (int t = 0; t < tokens; t++)
            {
                keys.AsSpan(t * kvHeads * keyWidth, kvHeads * keyWidth).CopyTo(_keys.AsSpan(KeyAt(t)));
                values.AsSpan(t * kvHeads * valueWidth, kvHeads * valueWidth).CopyTo(_values.AsSpan(Row(t) * kvHeads * valueWidth));
            }

            _storedKeys = Encode(_keys, KeyFormat, keyWidth);
            _storedValues = Encode(_values, ValueFormat, valueWidth);
        }

        public AttentionShape Shape { get; }

        public KvFormat Format { get; }

        private KvFormat KeyFormat => Format.For(Shape.KeyWidth);

        private KvFormat ValueFormat => _shared ? KeyFormat : Format.For(Shape.ValueWidth);

        private int Row(int token) => _pages[token / _pageTokens] * _pageTokens + token % _pageTokens;

        private int KeyAt(int token) => Row(token) * Shape.KvHeads * Shape.KeyWidth;

        // In the order of a page: all tokens of a head, then the next head. The floats become what was stored.
        private byte[] Encode(float[] floats, KvFormat format, int width)
        {
            int rowBytes = (int)format.BytesFor(width), heads = Shape.KvHeads, rows = _pages.Length * _pageTokens;
            byte[] bytes = GC.AllocateArray<byte>(rows * heads * rowBytes, pinned: true);
            fixed (float* numbers = floats)
            fixed (byte* stored = bytes)
            {
                for (int row = 0; row < rows; row++)
                {
                    for (int head = 0; head < heads; head++)
                    {
                        byte* to = stored + ((row / _pageTokens * heads + head) * _pageTokens + row % _pageTokens) * rowBytes;
                        KvRowFormats.Write(format, numbers + (row * heads + head) * width, to, width);
                        KvRowFormats.Read(format, to, numbers + (row * heads + head) * width, width);
                    }
                }
            }

            return bytes;
        }

        public void Spoil(int token)
        {
            _keys.AsSpan(KeyAt(token), Shape.KvHeads * Shape.KeyWidth).Fill(float.NaN);
            _values.AsSpan(Row(token) * Shape.KvHeads * Shape.ValueWidth, Shape.KvHeads * Shape.ValueWidth).Fill(float.NaN);
            Encode(_keys, KeyFormat, Shape.KeyWidth).CopyTo(_storedKeys, 0);
            Encode(_values, ValueFormat, Shape.ValueWidth).CopyTo(_storedValues, 0);
        }

        public float[] Run(InstructionSet set, ThreadTeam team, (int Position, int Rows)[] chunks, int[][]? lists = null, int visible = 0)
        {
            int outputWidth = Shape.QueryHeads * Shape.ValueWidth, queryWidth = Shape.QueryHeads * Shape.KeyWidth;
            float[] output = new float[_tokens * outputWidth];
            int[] counts = [.. (lists ?? []).Select(list => list.Length)], selected = new int[_tokens * _tokens];
            for (int i = 0; i < counts.Length; i++)
                lists![i].CopyTo(selected, i * _tokens);
            fixed (float* to = output)
            fixed (int* count = counts, list = selected)
            {
                var work = new AttentionChunk[chunks.Length];
                for (int i = 0; i < work.Length; i++)
                {
                    fixed (float* queries = _queries)
                    fixed (int* pages = _pages)
                    {
                        work[i] = new AttentionChunk
                        {
                            Queries = queries + chunks[i].Position * queryWidth,
                            QueryStride = queryWidth,
                            Output = to + chunks[i].Position * outputWidth,
                            OutputStride = outputWidth,
                            Rows = chunks[i].Rows,
                            Position = chunks[i].Position,
                            Visible = visible,
                            Pages = pages,
                            Selected = lists is null ? null : list,
                            SelectedStride = _tokens,
                            SelectedCounts = lists is null ? null : count,
                        };
                    }
                }

                (KvRows keys, KvRows values) = Planes();
                PagedAttention.Run(set, team, Shape, keys, values, work, work.Length);
            }

            // The work holds addresses alone: pinned arrays don't move, but they are collected.
            GC.KeepAlive(this);
            return output;
        }

        public long AllocationPerRun(ThreadTeam team)
        {
            float[] output = new float[_tokens * Shape.QueryHeads * Shape.ValueWidth];
            var work = new AttentionChunk[1];
            (KvRows keys, KvRows values) = Planes();
            fixed (float* to = output, queries = _queries)
            fixed (int* pages = _pages)
            {
                work[0] = new AttentionChunk { Queries = queries, QueryStride = Shape.QueryHeads * Shape.KeyWidth, Output = to, OutputStride = Shape.QueryHeads * Shape.ValueWidth, Rows = _tokens, Pages = pages };
                for (int i = 0; i < 20; i++)
                    PagedAttention.Run(team, Shape, keys, values, work, 1);
                long least = Allocation.Least(() =>
                {
                    for (int i = 0; i < 20; i++)
                        PagedAttention.Run(team, Shape, keys, values, work, 1);
                });
                GC.KeepAlive(this);
                return least;
            }
        }

        public double[] Exact(int row, int head, int[] positions)
        {
            int kvHead = head / (Shape.QueryHeads / Shape.KvHeads);
            double[] scores = new double[positions.Length], result = new double[Shape.ValueWidth];
            for (int i = 0; i < positions.Length; i++)
            {
                for (int c = 0; c < Shape.KeyWidth; c++)
                    scores[i] += (double)_queries[(row * Shape.QueryHeads + head) * Shape.KeyWidth + c] * _keys[KeyAt(positions[i]) + kvHead * Shape.KeyWidth + c];
                scores[i] *= Shape.Scale;
            }

            double max = scores.DefaultIfEmpty().Max(), sum = scores.Sum(s => Math.Exp(s - max));
            for (int i = 0; i < positions.Length; i++)
            {
                for (int c = 0; c < Shape.ValueWidth; c++)
                {
                    float value = _shared ? _keys[KeyAt(positions[i]) + c] : _values[(Row(positions[i]) * Shape.KvHeads + kvHead) * Shape.ValueWidth + c];
                    result[c] += Math.Exp(scores[i] - max) / sum * value;
                }
            }

            return result;
        }

        private (KvRows Keys, KvRows Values) Planes()
        {
            fixed (byte* keys = _storedKeys, values = _storedValues)
            {
                long keyRow = KeyFormat.BytesFor(Shape.KeyWidth), valueRow = ValueFormat.BytesFor(Shape.ValueWidth);
                var keyPlane = new KvRows(keys, KeyFormat, _pageTokens, keyRow * _pageTokens * Shape.KvHeads, keyRow * _pageTokens, keyRow);
                return (keyPlane, _shared ? keyPlane : new KvRows(values, ValueFormat, _pageTokens, valueRow * _pageTokens * Shape.KvHeads, valueRow * _pageTokens, valueRow));
            }
        }
    }
}
