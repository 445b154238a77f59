namespace Glimmer.Kernels.Integer.Emitted;

/// <summary>
/// Writes the machine code of a tile: sixteen packed rows times a panel of so many rows of activations, with the 512-bit byte product (AVX-512 VNNI, vpdpbusd), for
/// which the runtime has no intrinsic.
/// </summary>
/// <remarks>f(group, panel, results, blocks, constants) by the System V convention. The order of every sum is that of <see cref="ScalarTile"/>.</remarks>
internal sealed class TileCode
{
    private const int Weights = 7, Panel = 6, Results = 2, Blocks = 1, Constants = 8; // rdi, rsi, rdx, rcx, r8

    // Registers behind the integer sums and the results of up to twelve columns.
    private const int Second = 24, Table = 25, Codes = 26, Mask0 = 27, Mask1 = 28, Scale = 29, BlockScale = 30, Work = 31;

    /// <summary>Bytes; of 512 … 16384 the best on a processor of 2023, and twice the distance costs little.</summary>
    private const int PrefetchAhead = 8192;

    private readonly VectorAssembler _code = new();
    private readonly TileLayout _layout;
    private readonly int _width;
    private readonly bool _halves;
    private readonly bool _streaming;

    private TileCode(TileLayout layout, int width, bool streaming)
    {
        _layout = layout;
        _width = width;
        _streaming = streaming;
        _halves = width == 1 && layout is { Table: null, Planes: [{ Bits: 4 }] };
    }

    /// <summary>Which vector of the constants is which: the masks of the planes (the mask of high nibbles when there is one plane), then the table.</summary>
    public const int ConstantVectors = 3;

    /// <summary>Writes a tile for a panel of <paramref name="width"/> (1 … 12) rows.</summary>
    /// <param name="layout">How the weights lie.</param>
    /// <param name="width">Rows of the panel.</param>
    /// <param name="streaming">Whether the weights come from memory, so that the code asks early for what follows.</param>
    public static byte[] Write(TileLayout layout, int width, bool streaming)
    {
        var writer = new TileCode(layout, width, streaming);
        writer.Begin();
        int start = writer._code.Position;
        if (layout.IsSuper)
            writer.SuperBlock();
        else
            writer.Block();
        writer._code.AddConstant(Weights, layout.BlockBytes);
        writer._code.AddConstant(Panel, QuantisedRows.RecordBytes(layout.IsSuper) * width);
        writer._code.LoopWhileNotZero(Blocks, start);
        writer.End();
        return writer._code.ToArray();
    }

    /// <summary>The constants a tile's code reads: 64 bytes each.</summary>
    public static byte[] ConstantsOf(TileLayout layout)
    {
        byte[] constants = new byte[ConstantVectors * 64];
        for (int p = 0; p < layout.Planes.Length; p++)
            constants.AsSpan(64 * p, 64).Fill(layout.Planes[p].Mask);
        if (layout.Planes.Length == 1)
            constants.AsSpan(64, 64).Fill(0xF0);
        for (int i = 0; i < 64 && layout.Table is { } table; i++)
            constants[128 + i] = table[i % 16];
        return constants;
    }

    private void Begin()
    {
        _code.Load(Mask0, Constants, 0);
        _code.Load(Mask1, Constants, 64);
        if (_layout.Table is not null)
            _code.Load(Table, Constants, 128);
        for (int c = 0; c < _width; c++)
        {
            _code.Clear(Result(c));
            if (_layout.IsSuper)
                _code.Store(Result(c), Results, 64 * c);
        }
    }

    private void End()
    {
        for (int c = 0; c < _width && !_layout.IsSuper; c++)
            _code.Store(Result(c), Results, 64 * c);
        _code.Return();
    }

    private void Block()
    {
        Prefetch(0, _layout.BlockBytes);
        LoadBlockScale(Scale);
        Run(0);
        for (int c = 0; c < _width; c++)
        {
            _code.MultiplyBroadcast(Work, Scale, Panel, QuantisedRows.ScaleAt(super: false) * _width + 4 * c);
            _code.IntsToFloats(Sum(c), Sum(c));
            _code.MultiplyAdd(Result(c), Sum(c), Work);
        }

        if (!_layout.HasOffsets)
            return;
        _code.LoadHalves(Scale, Weights, _layout.OffsetAt);
        for (int c = 0; c < _width; c++)
        {
            _code.MultiplyBroadcast(Work, Scale, Panel, QuantisedRows.ScaleAt(super: false) * _width + 4 * c);
            _code.BroadcastIntToFloat(Sum(c), Panel, QuantisedRows.SumsAt(super: false) * _width + 4 * c);
            _code.MultiplyAdd(Result(c), Sum(c), Work);
        }
    }

    private void SuperBlock()
    {
        LoadBlockScale(BlockScale);
        for (int c = 0; c < _width; c++)
            _code.Clear(Result(c));
        int runs = _layout.Runs;
        for (int run = 0; run < runs; run++)
        {
            Prefetch(_layout.BlockBytes * run / runs, _layout.BlockBytes * (run + 1) / runs);
            _code.WidenBytes(Scale, Weights, _layout.RunScalesAt + run * 16, _layout.SignedScales);
            _code.IntsToFloats(Scale, Scale);
            _code.Multiply(Scale, Scale, BlockScale);
            Run(run);
            for (int c = 0; c < _width; c++)
                _code.IntsToFloats(Sum(c), Sum(c));
            for (int c = 0; c < _width; c++)
                _code.MultiplyAdd(Result(c), Sum(c), Scale);
        }

        if (_layout.HasOffsets)
            Offsets();
        for (int c = 0; c < _width; c++)
        {
            _code.BroadcastInt(Work, Panel, QuantisedRows.ScaleAt(super: true) * _width + 4 * c);
            _code.MultiplyAddMemory(Result(c), Work, Results, 64 * c);
            _code.Store(Result(c), Results, 64 * c);
        }
    }

    /// <summary>Σ o·(−Σ q) of all runs in integers, then once times m.</summary>
    private void Offsets()
    {
        for (int c = 0; c < _width; c++)
            _code.Clear(Sum(c));
        bool pairs = _layout.RunColumns == 32;
        int steps = pairs ? _layout.Runs / 2 : _layout.Runs;
        for (int step = 0; step < steps; step++)
        {
            // A run of 16: its offset is the low half of an integer, the high half is 0; so the high half of the sum does not matter.
            if (pairs)
                _code.WidenBytesToWords(Codes, Weights, _layout.RunOffsetsAt + step * 32);
            else
                _code.WidenBytes(Codes, Weights, _layout.RunOffsetsAt + step * 16, signed: false);
            int at = (pairs ? QuantisedRows.PairsAt : QuantisedRows.SumsAt(super: true)) * _width + step * 4 * _width;
            for (int c = 0; c < _width; c++)
                _code.DotWords(Sum(c), Codes, Panel, at + 4 * c);
        }

        _code.LoadHalves(Scale, Weights, _layout.OffsetAt);
        for (int c = 0; c < _width; c++)
        {
            _code.IntsToFloats(Sum(c), Sum(c));
            _code.MultiplyAdd(Result(c), Sum(c), Scale);
        }
    }

    /// <summary>The integer sums of one run, in the sum registers.</summary>
    private void Run(int run)
    {
        int sumsPerRun = _layout.IsSuper ? _layout.RunColumns / 16 : 1;
        for (int c = 0; c < _width; c++)
        {
            if (_layout.Zero == 0)
            {
                _code.Clear(Sum(c));
                continue;
            }

            for (int s = 0; s < sumsPerRun; s++)
            {
                int at = QuantisedRows.SumsAt(_layout.IsSuper) * _width + (run * sumsPerRun + s) * 4 * _width + 4 * c;
                _code.BroadcastIntShifted(s == 0 ? Sum(c) : Work, Panel, at, (byte)_layout.ZeroBits);
                if (s > 0)
                    _code.AddInts(Sum(c), Sum(c), Work);
            }
        }

        // One row of activations: two chains of sums, so that the processor waits less for each.
        if (_width == 1)
            _code.Clear(Second);
        for (int quad = run * _layout.RunQuads; quad < (run + 1) * _layout.RunQuads; quad++)
        {
            LoadQuad(quad);
            for (int c = 0; c < _width; c++)
                _code.DotBytes(_width == 1 && quad % 2 == 1 ? Second : Sum(c), Codes, Panel, (quad * _width + c) * 4);
        }

        if (_width > 1)
            return;
        if (_halves)
            _code.ShiftIntsRight(Second, Second, 4);
        _code.AddInts(Sum(0), Sum(0), Second);
    }

    /// <summary>Puts the codes of four columns into <see cref="Codes"/>; with <see cref="_halves"/> those of odd quads sixteen times as large.</summary>
    private void LoadQuad(int quad)
    {
        for (int p = 0; p < _layout.Planes.Length; p++)
        {
            CodePlane plane = _layout.Planes[p];
            int at = _layout.PlaneAt[p] + quad / plane.QuadsPerVector * 64, shift = plane.Shift(quad), mask = p == 0 ? Mask0 : Mask1;
            if (plane.Bits == 8)
            {
                _code.Load(Codes, Weights, at);
            }
            else if (p == 0)
            {
                if (shift == 0 || _halves)
                {
                    _code.And(Codes, shift == 0 ? Mask0 : Mask1, Weights, at);
                    continue;
                }

                _code.ShiftWords(Codes, Weights, at, shift);
                _code.And(Codes, Codes, mask);
            }
            else if (shift == 0)
            {
                _code.OrAnd(Codes, mask, Weights, at);
            }
            else
            {
                _code.ShiftWords(Work, Weights, at, shift);
                _code.OrAnd(Codes, Work, mask);
            }
        }

        if (_layout.Table is not null)
            _code.LookUp(Codes, Table, Codes);
    }

    private void LoadBlockScale(int register)
    {
        if (_layout.Scale == ScaleKind.Half)
        {
            _code.LoadHalves(register, Weights, 0);
            return;
        }

        _code.WidenBytes(register, Weights, 0, signed: false);
        _code.ShiftInts(register, register, 23);
    }

    private void Prefetch(int from, int to)
    {
        if (!_streaming)
            return;
        for (int at = (from + 63) / 64 * 64; at < to; at += 64)
            _code.Prefetch(Weights, at + PrefetchAhead);
    }

    private static int Sum(int column) => column;

    private int Result(int column) => _width + column;
}
